# Language level and warnings of every target of ours: of all that are made after this is included.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
add_compile_options("$<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-Wpedantic;-Wshadow;-Wconversion;-Wnon-virtual-dtor;-Woverloaded-virtual>")
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # GCC 12 reports variables inside its own coroutine frames under this name.
    add_compile_options("$<$<COMPILE_LANGUAGE:CXX>:-Wno-mismatched-new-delete>")
endif()
# What nobody calls stays out of an optimised program: the text of a worker is a fifth smaller.
add_link_options("$<$<CONFIG:RelWithDebInfo,Release,MinSizeRel>:-Wl,--gc-sections>")
