# Language level, warnings, sanitizers and ccache: everything about how code is compiled.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

find_program(CCACHE ccache)
if(CCACHE)
  # Precompiled headers and ccache agree only when ccache ignores the header's own time stamp; with the base folder, all
  # clones on a machine share what was compiled.
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${CCACHE})
endif()

add_library(merpati_warnings INTERFACE)
target_compile_options(merpati_warnings INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor
                                                  -Woverloaded-virtual -Wimplicit-fallthrough -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 reports these from inside the standard library and coroutine frames, where nothing is wrong.
  target_compile_options(merpati_warnings INTERFACE -Wno-error=maybe-uninitialized -Wno-error=stringop-overflow
                                                    -Wno-error=restrict -Wno-error=array-bounds -Wno-error=dangling-pointer
                                                    -fpch-preprocess)
endif()

set(MERPATI_SANITIZE "" CACHE STRING "Sanitizers, as for -fsanitize= (address,undefined or thread)")
if(MERPATI_SANITIZE)
  add_compile_options(-fsanitize=${MERPATI_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${MERPATI_SANITIZE})
endif()

option(MERPATI_FUZZ "Build the fuzz targets (clang)" OFF)
