// How jemalloc is to work; MALLOC_CONF in the environment may say otherwise. See jemalloc(3), TUNING.

// Index, requests and answers are spread over tens of megabytes, and with pages of 4 KiB look-ups in them miss the TLB,
// which is dear in a virtual machine. Where transparent huge pages are on for everybody this changes nothing; where
// they are for whoever asks ("madvise"), it asks.
extern "C" {
extern const char* malloc_conf;
const char* malloc_conf = "thp:always";
}
