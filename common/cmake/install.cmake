# cmake --install: the helper for other projects. find_package(process_cluster) gives them process_cluster::ipc, net and
# workers; the headers are included as here, "ipc/channel.hpp".
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(where ${CMAKE_INSTALL_LIBDIR}/cmake/process_cluster)
set(headers ${CMAKE_INSTALL_INCLUDEDIR}/process_cluster)

install(TARGETS
    process_cluster_asio process_cluster_posix process_cluster_ipc process_cluster_net process_cluster_workers
    EXPORT process_cluster INCLUDES DESTINATION ${headers})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/common/ DESTINATION ${headers} FILES_MATCHING PATTERN "*.hpp"
    PATTERN app EXCLUDE PATTERN cluster EXCLUDE PATTERN http EXCLUDE PATTERN live EXCLUDE PATTERN cmake EXCLUDE)
install(EXPORT process_cluster NAMESPACE process_cluster:: DESTINATION ${where} FILE targets.cmake)

# What Asio's headers were when its half was compiled, they have to be where that is linked.
file(STRINGS ${ASIO_INCLUDE_DIR}/asio/version.hpp ASIO_VERSION REGEX "define ASIO_VERSION ")
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/process_cluster-config.cmake.in process_cluster-config.cmake
    INSTALL_DESTINATION ${where} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(process_cluster-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/process_cluster-config.cmake ${PROJECT_BINARY_DIR}/process_cluster-config-version.cmake
    DESTINATION ${where})
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
