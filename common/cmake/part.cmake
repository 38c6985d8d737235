# A folder of common/ as a static library, process_cluster::NAME to whoever links it: here, in a project that has the
# suite as a part of it, and after find_package. (Functions and targets have no scope, so all names have the project's
# in them, and collide with no other's.)
function(add_process_cluster_part name) # SOURCE...
    set(target process_cluster_${name})
    add_library(${target} STATIC ${ARGN})
    add_library(process_cluster::${name} ALIAS ${target})
    set_target_properties(${target} PROPERTIES EXPORT_NAME ${name})
    target_compile_features(${target} PUBLIC cxx_std_20)
    target_include_directories(${target} PUBLIC "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/common>")
endfunction()
