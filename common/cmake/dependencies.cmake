# Where the installed packages are: one target name each, nothing downloaded, nothing vendored.
# A missing one stops the configuration with the name of its Debian package.

set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)

function(require_package variable what package)
    if(NOT ${variable})
        message(FATAL_ERROR "${what} not found.\n  install it: sudo apt-get install ${package}")
    endif()
endfunction()

# Asio ships headers and no CMake package. Its non-template half is compiled once, here.
find_path(ASIO_INCLUDE_DIR asio.hpp)
require_package(ASIO_INCLUDE_DIR "Asio (asio.hpp)" libasio-dev)
# (CONFIGURE writes the file only if that changes it: file(WRITE) would have it compiled each time.)
file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/asio.cpp CONTENT "#include <asio/impl/src.hpp>\n")
add_library(asio STATIC ${PROJECT_BINARY_DIR}/asio.cpp)
add_library(asio::asio ALIAS asio)
target_include_directories(asio SYSTEM PUBLIC ${ASIO_INCLUDE_DIR})
target_compile_definitions(asio PUBLIC ASIO_STANDALONE ASIO_NO_DEPRECATED ASIO_SEPARATE_COMPILATION)
# Asio 1.22 decides how to allocate by a macro that is only there if a standard header came first, so
# that two files may disagree about how one block is freed (AddressSanitizer says so). Settle it.
target_compile_definitions(asio PUBLIC ASIO_DISABLE_STD_ALIGNED_ALLOC)
target_compile_features(asio PUBLIC cxx_std_20)
target_link_libraries(asio PUBLIC Threads::Threads)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    # Asio 1.22 does not recognise coroutines in clang 14 by itself.
    target_compile_definitions(asio PUBLIC ASIO_HAS_CO_AWAIT ASIO_HAS_STD_COROUTINE)
endif()

find_package(nlohmann_json 3.11 QUIET)
require_package(nlohmann_json_FOUND "nlohmann_json" nlohmann-json3-dev)

find_package(CLI11 2.1 QUIET)
require_package(CLI11_FOUND "CLI11" libcli11-dev)

# llhttp: the C sources that Debian's node-llhttp carries, which we compile ourselves, in strict mode:
# LLHTTP_STRICT_MODE=1 is the parser's own switch against sloppy syntax, and a packaged library may
# have been built without it. Only where there are no sources, an installed CMake package.
find_path(LLHTTP_SOURCE_DIR llhttp.c PATHS /usr/share/llhttp NO_DEFAULT_PATH)
find_path(LLHTTP_INCLUDE_DIR llhttp.h PATHS /usr/share/include/llhttp)
if(LLHTTP_SOURCE_DIR AND LLHTTP_INCLUDE_DIR)
    add_library(llhttp STATIC ${LLHTTP_SOURCE_DIR}/llhttp.c ${LLHTTP_SOURCE_DIR}/api.c
                              ${LLHTTP_SOURCE_DIR}/http.c)
    target_include_directories(llhttp SYSTEM PUBLIC ${LLHTTP_INCLUDE_DIR})
    target_compile_definitions(llhttp PRIVATE LLHTTP_STRICT_MODE=1)
    target_compile_options(llhttp PRIVATE -w)
    add_library(llhttp::llhttp ALIAS llhttp)
else()
    find_package(llhttp CONFIG QUIET)
    require_package(llhttp_FOUND "llhttp" node-llhttp)
    if(NOT TARGET llhttp::llhttp)
        add_library(llhttp::llhttp ALIAS llhttp::llhttp_static)
    endif()
    get_target_property(LLHTTP_INCLUDE_DIR llhttp::llhttp INTERFACE_INCLUDE_DIRECTORIES)
endif()

if(BUILD_TESTING)
    find_package(GTest QUIET)
    require_package(GTest_FOUND "GoogleTest" libgtest-dev)
endif()
