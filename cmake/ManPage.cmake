# man_page(NAME SOURCE SCRIPT): docs/NAME.in -> docs/NAME of the build tree, where the line @TABLE@ becomes what the
# awk SCRIPT makes of SOURCE: so a page has the rows that the program and its documents have.
function(man_page name source script)
  set(template ${CMAKE_SOURCE_DIR}/docs/${name}.in)
  set(page ${CMAKE_BINARY_DIR}/docs/${name})
  set(awk ${CMAKE_SOURCE_DIR}/cmake/man/${script})
  add_custom_command(OUTPUT ${page}
    COMMAND awk -f ${awk} ${CMAKE_SOURCE_DIR}/${source} > ${page}.table
    COMMAND sed -e "/^@TABLE@$/r ${page}.table" -e "/^@TABLE@$/d" ${template} > ${page}
    DEPENDS ${template} ${CMAKE_SOURCE_DIR}/${source} ${awk} VERBATIM)
  string(REGEX MATCH "[0-9]$" section ${name})
  install(FILES ${page} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
  set_property(GLOBAL APPEND PROPERTY VNET_MAN_PAGES ${page})
endfunction()
