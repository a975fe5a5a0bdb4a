# The installed package: the library, the public headers, the command, and a CMake package that tests/consumer is built against.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
install(TARGETS pare pare_command EXPORT pare_targets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
if(PARE_WITH_TORCH)
  install(TARGETS pare_torch LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()
install(DIRECTORY "${CMAKE_SOURCE_DIR}/include/pare" DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT pare_targets NAMESPACE pare:: FILE pareTargets.cmake DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/pare)
file(WRITE "${CMAKE_BINARY_DIR}/pareConfig.cmake" "include(\"\${CMAKE_CURRENT_LIST_DIR}/pareTargets.cmake\")\n")
write_basic_package_version_file("${CMAKE_BINARY_DIR}/pareConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_BINARY_DIR}/pareConfig.cmake" "${CMAKE_BINARY_DIR}/pareConfigVersion.cmake"
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/pare)
