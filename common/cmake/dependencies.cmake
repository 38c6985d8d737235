# Where the installed packages are: one target name each, nothing downloaded, nothing vendored.
# A missing one stops the configuration with the name of its Debian package.

# Two things that CMake finds out by small projects of its own, which do not work in a folder with a double
# quote in its name: where libraries are (lib/x86_64-linux-gnu), and that threads are part of the C
# library (glibc's since 2.34).
if(NOT CMAKE_LIBRARY_ARCHITECTURE)
    execute_process(COMMAND ${CMAKE_CXX_COMPILER} -print-multiarch
        OUTPUT_VARIABLE CMAKE_LIBRARY_ARCHITECTURE OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
set(CMAKE_HAVE_LIBC_PTHREAD TRUE)
find_package(Threads REQUIRED GLOBAL)

function(process_cluster_require variable what package)
    if(NOT ${variable})
        message(FATAL_ERROR "${what} not found.\n  install it: sudo apt-get install ${package}")
    endif()
endfunction()

# Asio ships headers and no CMake package. Its non-template half is compiled once, here. (A project that the suite is a
# part of may have an asio::asio of its own: that one then. Two in one program would disagree about the definitions.)
if(TARGET asio::asio)
    add_library(process_cluster_asio INTERFACE)
    target_link_libraries(process_cluster_asio INTERFACE asio::asio)
else()
    find_path(ASIO_INCLUDE_DIR asio.hpp)
    process_cluster_require(ASIO_INCLUDE_DIR "Asio (asio.hpp)" libasio-dev)
    # (CONFIGURE writes the file only if that changes it: file(WRITE) would have it compiled each time.)
    file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/asio.cpp CONTENT "#include <asio/impl/src.hpp>\n")
    add_library(process_cluster_asio STATIC ${PROJECT_BINARY_DIR}/asio.cpp)
    target_include_directories(process_cluster_asio SYSTEM PUBLIC "$<BUILD_INTERFACE:${ASIO_INCLUDE_DIR}>")
    target_compile_definitions(process_cluster_asio PUBLIC ASIO_STANDALONE ASIO_NO_DEPRECATED ASIO_SEPARATE_COMPILATION)
    # Asio 1.22 decides how to allocate by a macro that is only there if a standard header came first, so
    # that two files may disagree about how one block is freed (AddressSanitizer says so). Settle it.
    target_compile_definitions(process_cluster_asio PUBLIC ASIO_DISABLE_STD_ALIGNED_ALLOC)
    target_compile_features(process_cluster_asio PUBLIC cxx_std_20)
    target_link_libraries(process_cluster_asio PUBLIC Threads::Threads)
    # Asio 1.22 does not recognise coroutines in clang 14 by itself.
    target_compile_definitions(process_cluster_asio PUBLIC
        "$<$<CXX_COMPILER_ID:Clang>:ASIO_HAS_CO_AWAIT;ASIO_HAS_STD_COROUTINE>")
endif()
add_library(process_cluster::asio ALIAS process_cluster_asio)
set_target_properties(process_cluster_asio PROPERTIES EXPORT_NAME asio)

if(NOT TARGET nlohmann_json::nlohmann_json)
    find_package(nlohmann_json 3.11 QUIET GLOBAL)
    process_cluster_require(nlohmann_json_FOUND "nlohmann_json" nlohmann-json3-dev)
endif()

# The rest is for the demos, the clients and the tests.
if(NOT PROJECT_IS_TOP_LEVEL)
    return()
endif()

find_package(CLI11 2.1 QUIET)
process_cluster_require(CLI11_FOUND "CLI11" libcli11-dev)

# llhttp, one of two ways. Debian 12's node-llhttp carries its C sources, which we compile ourselves in
# strict mode: LLHTTP_STRICT_MODE=1 is version 8's switch against sloppy syntax. Since version 9 the
# parser is strict unless a program sets its leniency flags, which we never do, and Debian 13's
# libllhttp-dev has it as a library. (Found by header and library: the targets in its CMake package
# have another name in each build, and since 9.4 no include directory.)
find_path(LLHTTP_SOURCE_DIR llhttp.c PATHS /usr/share/llhttp NO_DEFAULT_PATH)
find_path(LLHTTP_INCLUDE_DIR llhttp.h HINTS ${LLHTTP_SOURCE_DIR}/../include/llhttp)
find_library(LLHTTP_LIBRARY llhttp)
process_cluster_require(LLHTTP_INCLUDE_DIR "llhttp (llhttp.h)" "libllhttp-dev, or node-llhttp on Debian 12")
file(STRINGS ${LLHTTP_INCLUDE_DIR}/llhttp.h LLHTTP_VERSION REGEX "define LLHTTP_VERSION_")
string(REGEX MATCHALL "[0-9]+" LLHTTP_VERSION "${LLHTTP_VERSION}")
list(JOIN LLHTTP_VERSION . LLHTTP_VERSION)
if(LLHTTP_LIBRARY AND LLHTTP_VERSION VERSION_GREATER_EQUAL 9)
    add_library(llhttp::llhttp UNKNOWN IMPORTED)
    set_target_properties(llhttp::llhttp PROPERTIES
        IMPORTED_LOCATION ${LLHTTP_LIBRARY}
        INTERFACE_INCLUDE_DIRECTORIES ${LLHTTP_INCLUDE_DIR})
else()
    process_cluster_require(LLHTTP_SOURCE_DIR "llhttp ${LLHTTP_VERSION} as C sources, or version 9 as a library,"
        "libllhttp-dev, or node-llhttp on Debian 12")
    add_library(llhttp STATIC ${LLHTTP_SOURCE_DIR}/llhttp.c ${LLHTTP_SOURCE_DIR}/api.c
                              ${LLHTTP_SOURCE_DIR}/http.c)
    target_include_directories(llhttp SYSTEM PUBLIC ${LLHTTP_INCLUDE_DIR})
    target_compile_definitions(llhttp PRIVATE LLHTTP_STRICT_MODE=1)
    target_compile_options(llhttp PRIVATE -w)
    add_library(llhttp::llhttp ALIAS llhttp)
endif()

if(BUILD_TESTING)
    find_package(GTest QUIET)
    process_cluster_require(GTest_FOUND "GoogleTest" libgtest-dev)
endif()
