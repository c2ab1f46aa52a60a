# The Debian package: `cpack -G DEB` in a build folder makes sluice_VERSION-RELEASE_ARCH.deb (docker/package.sh does all of it).
# What only the package has is in the component `debian`, which a plain `cmake --install` leaves out.
include(GNUInstallDirs)
set(deb ${CMAKE_SOURCE_DIR}/docker/deb)

# NAME becomes FOLDER/AS. A file of another part of the project that is not there (OPTIONAL) is left out.
function(sluice_ship file folder as)
  if(NOT EXISTS ${file} AND "OPTIONAL" IN_LIST ARGN)
    return()
  endif()
  install(FILES ${file} DESTINATION ${folder} RENAME ${as} COMPONENT debian EXCLUDE_FROM_ALL)
endfunction()

# The same, compressed when it is installed; -n: no name and no time in it.
function(sluice_ship_gzipped file folder as)
  if(NOT EXISTS ${file} AND "OPTIONAL" IN_LIST ARGN)
    return()
  endif()
  set(made ${CMAKE_BINARY_DIR}/package/${as}.gz)
  install(CODE "
    file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/package)
    execute_process(COMMAND gzip -9nc ${file} OUTPUT_FILE ${made} COMMAND_ERROR_IS_FATAL ANY)
    file(INSTALL ${made} DESTINATION \${CMAKE_INSTALL_PREFIX}/${folder}
      PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)" COMPONENT debian EXCLUDE_FROM_ALL)
endfunction()

sluice_ship(${deb}/sluice.yaml /etc/sluice sluice.yaml)
sluice_ship(${deb}/sluice.logrotate /etc/logrotate.d sluice)
sluice_ship(${deb}/sluice.service lib/systemd/system sluice.service)
sluice_ship(${deb}/sluice.sysusers lib/sysusers.d sluice.conf)
sluice_ship(${deb}/sluice.tmpfiles lib/tmpfiles.d sluice.conf)

sluice_ship(${deb}/lintian-overrides share/lintian/overrides sluice)
sluice_ship(${deb}/copyright share/doc/sluice copyright)
sluice_ship_gzipped(${deb}/changelog share/doc/sluice changelog.Debian)
sluice_ship_gzipped(${CMAKE_SOURCE_DIR}/docs/CHANGELOG.md share/doc/sluice changelog OPTIONAL)
sluice_ship_gzipped(${CMAKE_SOURCE_DIR}/docs/man/sluice.1 share/man/man1 sluice.1 OPTIONAL)
sluice_ship_gzipped(${CMAKE_SOURCE_DIR}/docs/man/sluice.yaml.5 share/man/man5 sluice.yaml.5 OPTIONAL)
sluice_ship(${CMAKE_SOURCE_DIR}/config/completions/sluice.bash share/bash-completion/completions sluice OPTIONAL)
sluice_ship(${CMAKE_SOURCE_DIR}/config/completions/_sluice share/zsh/vendor-completions _sluice OPTIONAL)
sluice_ship(${CMAKE_SOURCE_DIR}/config/completions/sluice.fish share/fish/vendor_completions.d sluice.fish OPTIONAL)
sluice_ship(${CMAKE_SOURCE_DIR}/config/sluice.schema.json share/sluice sluice.schema.json OPTIONAL)
sluice_ship(${CMAKE_SOURCE_DIR}/config/sluice.schema.json share/doc/sluice/examples sluice.schema.json OPTIONAL) # which they name

sluice_ship(${deb}/sluice.socket share/doc/sluice/examples sluice.socket)
file(GLOB examples CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/config/*.yaml)
install(FILES ${examples} DESTINATION share/doc/sluice/examples COMPONENT debian EXCLUDE_FROM_ALL)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/config/grafana ${CMAKE_SOURCE_DIR}/config/prometheus ${CMAKE_SOURCE_DIR}/config/prompts
  DESTINATION share/doc/sluice/examples COMPONENT debian EXCLUDE_FROM_ALL)

set(CPACK_GENERATOR DEB)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_GROUPING ALL_COMPONENTS_IN_ONE)
set(CPACK_COMPONENTS_ALL sluice debian)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
  OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_PACKAGE_NAME sluice)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_MAINTAINER "sluice maintainers <maintainers@sluice.example>")
set(CPACK_DEBIAN_PACKAGE_SECTION httpd)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# What the maintainer scripts call: sysusers, tmpfiles, deb-systemd-helper.
set(CPACK_DEBIAN_PACKAGE_DEPENDS
  "init-system-helpers (>= 1.54~), systemd | systemd-standalone-sysusers, systemd | systemd-standalone-tmpfiles")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "ca-certificates, logrotate")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "prometheus")
file(READ ${deb}/description description)
string(STRIP "${description}" CPACK_DEBIAN_PACKAGE_DESCRIPTION)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${deb}/postinst ${deb}/prerm ${deb}/postrm ${deb}/conffiles)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
include(CPack)
