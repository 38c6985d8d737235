# One target that every target of ours links: language level and warnings, nothing else.
add_library(compile_options INTERFACE)
target_compile_features(compile_options INTERFACE cxx_std_20)
target_compile_options(compile_options INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Woverloaded-virtual)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # GCC 12 reports variables inside its own coroutine frames under this name.
    target_compile_options(compile_options INTERFACE -Wno-mismatched-new-delete)
endif()
