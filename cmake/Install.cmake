# cmake --install build/release --prefix /usr/local
# Programs, the settings, man pages, completion, the units, the BitDust adapter.
# The prefix is known only at installation (--prefix can change it). What depends on it, the folder of the settings
# and the paths in the units, the man pages and the launcher, is determined then, by installed_paths.cmake.
include(GNUInstallDirs)

foreach(program IN ITEMS dustwired dustwire dustwire-load)
    if(TARGET ${program})
        install(TARGETS ${program} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
    endif()
    if(EXISTS ${CMAKE_SOURCE_DIR}/etc/completion/${program}.bash)
        install(FILES ${CMAKE_SOURCE_DIR}/etc/completion/${program}.bash
            DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME ${program})
    endif()
endforeach()

install(DIRECTORY ${CMAKE_SOURCE_DIR}/adapter/bitdust/dustwire_adapter
    DESTINATION ${CMAKE_INSTALL_DATADIR}/dustwire/bitdust FILES_MATCHING PATTERN "*.py")
install(FILES ${CMAKE_SOURCE_DIR}/adapter/bitdust/README.md
    DESTINATION ${CMAKE_INSTALL_DATADIR}/dustwire/bitdust)

foreach(kind IN ITEMS sysusers tmpfiles)
    install(FILES ${CMAKE_SOURCE_DIR}/etc/systemd/${kind}.conf DESTINATION lib/${kind}.d RENAME dustwire.conf)
endforeach()

configure_file(${CMAKE_SOURCE_DIR}/cmake/installed_paths.cmake.in ${CMAKE_BINARY_DIR}/installed_paths.cmake @ONLY)
install(SCRIPT ${CMAKE_BINARY_DIR}/installed_paths.cmake)
