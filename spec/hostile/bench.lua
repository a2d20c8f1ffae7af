return require "spec.hostile.encounter"
