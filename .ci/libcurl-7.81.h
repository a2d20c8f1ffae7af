/* libcurl-7.81.h - included before a source file, makes of Debian 12's headers
 * those of 7.81, the oldest that the module takes: its version, and an error
 * for each name that a later one brought.
 */
#include <curl/curl.h>

#undef LIBCURL_VERSION_NUM
#define LIBCURL_VERSION_NUM 0x075100

#undef CURL_VERSION_THREADSAFE
#undef CURL_WRITEFUNC_ERROR
#undef CURLH_1XX
#undef CURLH_CONNECT
#undef CURLH_HEADER
#undef CURLH_PSEUDO
#undef CURLH_TRAILER
#undef CURLU_PUNYCODE

#pragma GCC poison CURL_HTTP_VERSION_3ONLY CURL_LOCK_DATA_HSTS
#pragma GCC poison CURLE_UNRECOVERABLE_POLL CURLHE_BAD_ARGUMENT CURLHE_BADINDEX
#pragma GCC poison CURLHE_MISSING CURLHE_NOHEADERS CURLHE_NOREQUEST
#pragma GCC poison CURLHE_NOT_BUILT_IN CURLHE_OK CURLHE_OUT_OF_MEMORY
#pragma GCC poison CURLINFO_CAINFO CURLINFO_CAPATH CURLM_UNRECOVERABLE_POLL
#pragma GCC poison CURLOPT_CA_CACHE_TIMEOUT CURLOPT_PROTOCOLS_STR
#pragma GCC poison CURLOPT_QUICK_EXIT CURLOPT_REDIR_PROTOCOLS_STR
#pragma GCC poison CURLUE_LACKS_IDN CURLVERSION_ELEVENTH curl_easy_header
#pragma GCC poison curl_easy_nextheader
