--- The texts of `--help`.

local help = {}

help.MAIN = [[
Cancels the running operation of an offer in Microsoft's Cloud Partner Portal,
makes sure that it has ended, and tells whether a publish may start again.]]

help.MAIN_EPILOG = [[
`cloudpartner COMMAND --help` tells more, with examples.

Environment:
   CPP_TOKEN               a bearer token; else
   AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET
                           of an application; else `az` is asked, where somebody
                           is logged in with `az login`
   CPP_ENDPOINT            what --endpoint says
   SSL_CERT_FILE           what --ca-file says
   NO_COLOR                plain lines of progress, on a terminal too
   TERM, COLUMNS, LINES    of the terminal

Exit statuses of all commands:
   0  as wanted        1  anything else      2  wrong usage      130  Ctrl-C]]

help.CANCEL = [[
Cancels what runs on each offer, follows it to its end and tells what became of
it, of several offers in the order in which they end. The service's own answer
says only that it took the request.

As soon as a cancel is accepted, the command is printed with which another
process can go on. A cancel whose answer was lost is never repeated blindly.
What fails is told, and tried again until the deadline. Ctrl-C ends the command,
not the cancel, and tells whether one was sent.]]

help.CANCEL_EPILOG = [[
Examples:
   cloudpartner cancel contoso contoso-vm
   cloudpartner cancel contoso vm-1 vm-2 vm-3 --email ops@contoso.example
   cloudpartner cancel contoso contoso-vm --json |
      jq -r 'select(.event == "result") | .outcome // .error.message'
   cloudpartner cancel contoso contoso-vm \
      --operation 56615b67-2185-49fe-80d2-c4ddf77bb2e8

Exit statuses:
   0  canceled (with --no-wait: accepted)   5  it had failed by itself
   3  there was nothing to cancel           6  it has not ended by the deadline
   4  too late: it had completed            1  anything else
For several offers it is the first of 1, 6, 4, 5, 3, 0 that occurs.]]

help.WAIT = [[
Follows operations to their ends, from locations that `cancel` or another
program has printed, in another process or on another day.]]

help.WAIT_EPILOG = [[
Quote a location for the shell: it may hold a `$`.

Examples:
   cloudpartner wait --for canceled \
      'https://cloudpartner.azure.com/api/operations/contoso$vm$2$preview'
   cloudpartner wait --for succeeded --deadline 86400 "$location" && echo published

Exit statuses:
   0  it has ended as --for says (default: in any way but failure)
   4  it has ended otherwise     6  it has not ended by the deadline
   5  it has failed              7  it waits for a person's review
   1  anything else
For several locations it is the first of 1, 6, 4, 5, 7, 0 that occurs.]]

help.POLL = [[
Asks once how an operation is: its state, its steps, what went wrong.]]

help.POLL_EPILOG = [[
Example:
   cloudpartner poll 'https://cloudpartner.azure.com/api/operations/...'

Exit statuses: 0 the service has answered, whatever the state; 1 it has not.]]

help.OPERATIONS = [[
Lists the operations of an offer, in the service's order: id, state, kind and
time of the last change. The list may lag behind for a while.]]

help.OPERATIONS_EPILOG = [[
Examples:
   cloudpartner operations contoso contoso-vm
   cloudpartner operations contoso contoso-vm --json |
      jq -r 'select(.state == "running").location'

Exit statuses: 0 the service has answered; 1 it has not.]]

help.STATUS = [[
Asks once how an offer is: its state, the steps of its last publish, what
went wrong.]]

help.STATUS_EPILOG = [[
Example:
   cloudpartner status contoso contoso-vm

Exit statuses: 0 the service has answered, whatever the state; 1 it has not.]]

help.WHOAMI = [[
Shows whose token is used: tenant, application, object id, audience and expiry.
It is read here, without asking the service, and never shown itself. For a 403,
compare the object id with the one that was added to the publisher.]]

help.WHOAMI_EPILOG = [[
Example:
   cloudpartner whoami

Exit statuses: 0 shown; 1 there is no token, or it cannot be read.]]

help.EMULATE = [[
Starts the portal on this machine, with offers in the middle of a publish, and
prints what to paste into another shell: a line that makes it the service there,
and one that cancels. It runs until Ctrl-C. Needs nginx with its Lua module.]]

help.EMULATE_EPILOG = [[
Examples:
   cloudpartner emulate
   cloudpartner emulate --tls --speed 60
   cloudpartner emulate --offer contoso/contoso-vm --offer contoso/contoso-app

Exit statuses: 130 after Ctrl-C; 1 it cannot be started.]]

help.COMPLETION = [[
Prints a script for the shell that completes commands and options. For bash:
source <(cloudpartner completion bash)]]

return help
