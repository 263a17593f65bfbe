# cmake --install build/release --prefix /usr/local
# Programs, the settings, man pages, completion: each where it is there.
include(GNUInstallDirs)

foreach(program IN ITEMS dustwired dustwire dustwire-load)
    if(TARGET ${program})
        install(TARGETS ${program} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
    endif()
endforeach()

if(EXISTS ${CMAKE_SOURCE_DIR}/etc/dustwired.ini)
    install(FILES ${CMAKE_SOURCE_DIR}/etc/dustwired.ini DESTINATION ${CMAKE_INSTALL_SYSCONFDIR}/dustwire)
endif()

foreach(section IN ITEMS 1 5 7 8)
    file(GLOB pages CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/docs/man/*.${section})
    if(pages)
        install(FILES ${pages} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
    endif()
endforeach()

foreach(program IN ITEMS dustwire dustwire-load)
    if(EXISTS ${CMAKE_SOURCE_DIR}/etc/completion/${program}.bash)
        install(FILES ${CMAKE_SOURCE_DIR}/etc/completion/${program}.bash
            DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME ${program})
    endif()
endforeach()
