# cmake --install build/release --prefix /usr/local
# Programs, the settings, man pages, completion, the units: each where it is there; the BitDust adapter.
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

foreach(program IN ITEMS dustwired dustwire dustwire-load)
    if(EXISTS ${CMAKE_SOURCE_DIR}/etc/completion/${program}.bash)
        install(FILES ${CMAKE_SOURCE_DIR}/etc/completion/${program}.bash
            DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME ${program})
    endif()
endforeach()

install(PROGRAMS ${CMAKE_SOURCE_DIR}/adapter/bitdust/dustwire-bitdust DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY ${CMAKE_SOURCE_DIR}/adapter/bitdust/dustwire_adapter
    DESTINATION ${CMAKE_INSTALL_DATADIR}/dustwire/bitdust FILES_MATCHING PATTERN "*.py")
install(FILES ${CMAKE_SOURCE_DIR}/adapter/bitdust/README.md
    DESTINATION ${CMAKE_INSTALL_DATADIR}/dustwire/bitdust)

# The units name where things are installed, which is known only then: --prefix may say otherwise.
foreach(unit IN ITEMS dustwired.service dustwired.socket)
    if(EXISTS ${CMAKE_SOURCE_DIR}/etc/systemd/${unit})
        install(CODE "
            file(READ \"${CMAKE_SOURCE_DIR}/etc/systemd/${unit}\" text)
            string(REPLACE /usr/bin/ \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}/\" text \"\${text}\")
            string(REPLACE /etc/dustwire/ \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_SYSCONFDIR}/dustwire/\" text \"\${text}\")
            file(WRITE \"${CMAKE_BINARY_DIR}/systemd/${unit}\" \"\${text}\")")
        install(FILES ${CMAKE_BINARY_DIR}/systemd/${unit} DESTINATION lib/systemd/system)
    endif()
endforeach()
foreach(kind IN ITEMS sysusers tmpfiles)
    if(EXISTS ${CMAKE_SOURCE_DIR}/etc/systemd/${kind}.conf)
        install(FILES ${CMAKE_SOURCE_DIR}/etc/systemd/${kind}.conf DESTINATION lib/${kind}.d RENAME dustwire.conf)
    endif()
endforeach()
