#include "librdkafka.h"

#include <mutex>

#ifdef _WIN32
#include <windows.h>
#else
#include <dlfcn.h>
#endif

namespace typed_kafka {

Librdkafka rk;

namespace {

// The functions, structures and error codes used here are the same in all of these.
constexpr int oldestVersion = 0x02030000;
constexpr int nextMajorVersion = 0x03000000;

bool found = false;

#ifdef _WIN32
/// The Windows build of the binding has librdkafka in a DLL of its own, which is loaded by now. Not released: the
/// binding is never unloaded.
HMODULE libraryOf(void*) { return GetModuleHandleA("librdkafka.dll"); }

void* symbol(HMODULE library, const char* name) { return reinterpret_cast<void*>(GetProcAddress(library, name)); }
#else
/// A second handle of the library that is loaded already. Not closed: the binding is never unloaded.
void* libraryOf(void* address) {
  Dl_info info;
  if (dladdr(address, &info) == 0 || info.dli_fname == nullptr) return nullptr;
  return dlopen(info.dli_fname, RTLD_NOLOAD | RTLD_LAZY);
}

void* symbol(void* library, const char* name) { return dlsym(library, name); }
#endif

std::string lookUp(void* caller) {
  auto library = libraryOf(caller);
  if (library == nullptr) return "the file that librdkafka was loaded from is not known";
#define TYPED_KAFKA_LOOK_UP(name)                                          \
  rk.name = reinterpret_cast<decltype(rk.name)>(symbol(library, #name));   \
  if (rk.name == nullptr) return "librdkafka does not export " #name;
  TYPED_KAFKA_FUNCTIONS(TYPED_KAFKA_LOOK_UP)
#undef TYPED_KAFKA_LOOK_UP
  const int version = rk.rd_kafka_version();
  if (version < oldestVersion || version >= nextMajorVersion)
    return std::string("librdkafka ") + rk.rd_kafka_version_str() + " is not one of the versions it was made for";
  found = true;
  return "";
}

}  // namespace

const std::string& find(void* caller) {
  // Never destroyed: threads of librdkafka may outlive the static objects when the process exits.
  static const auto& problem = *new std::string(lookUp(caller));
  return problem;
}

bool isFound() { return found; }

}  // namespace typed_kafka
