// How the sanitizers judge a test program, compiled in so that it holds for a program started by hand too.
// Each suppression is for code that is not ours, with its reason in the file beside this one.
#define SUPPRESSIONS ":suppressions=" MERPATI_SOURCE_DIR "/tests/suppressions/"

extern "C" {

const char* __asan_default_options() {
  return "detect_stack_use_after_return=1:strict_string_checks=1";
}

const char* __ubsan_default_options() {
  return "halt_on_error=1:print_stacktrace=1" SUPPRESSIONS "ubsan.txt";
}

const char* __tsan_default_options() {
  return "halt_on_error=1:second_deadlock_stack=1" SUPPRESSIONS "tsan.txt";
}

} // extern "C"
