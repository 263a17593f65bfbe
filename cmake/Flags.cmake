# Warnings and hardening. Ours come before those of the builder (CFLAGS, CMAKE_C_FLAGS, LDFLAGS), so that theirs
# win. Warnings are errors in our presets only (CMAKE_COMPILE_WARNING_AS_ERROR): other compilers have other warnings.
include(CheckPIESupported)
check_pie_supported(LANGUAGES C)

# All flags given by the builder.
string(TOUPPER "${CMAKE_BUILD_TYPE}" build_type)
set(given_flags "${CMAKE_C_FLAGS} ${CMAKE_C_FLAGS_${build_type}}")

# Sets _FORTIFY_SOURCE only if nothing else does: a second definition would be a warning or a lower level. It needs an
# optimised build, and sanitizers have their own checks. Some distributions' compilers predefine it.
function(wants_fortify result)
    set(${result} FALSE PARENT_SCOPE)
    if(DUSTWIRE_SANITIZER OR given_flags MATCHES "_FORTIFY_SOURCE|-fsanitize|-fhardened")
        return()
    endif()
    separate_arguments(flags UNIX_COMMAND "${given_flags}")
    execute_process(COMMAND ${CMAKE_C_COMPILER} ${flags} -dM -E -x c /dev/null
        OUTPUT_VARIABLE macros ERROR_QUIET)
    if(macros MATCHES "__OPTIMIZE__ 1" AND NOT macros MATCHES "_FORTIFY_SOURCE")
        set(${result} TRUE PARENT_SCOPE)
    endif()
endfunction()

set(our_flags "-Wall -Wextra -Wconversion -fstack-protector-strong")
wants_fortify(is_fortified)
if(is_fortified)
    string(APPEND our_flags " -D_FORTIFY_SOURCE=2")
endif()
set(CMAKE_C_FLAGS "${our_flags} ${CMAKE_C_FLAGS}")
string(PREPEND CMAKE_EXE_LINKER_FLAGS "-Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack ")

# With -flto an archive needs the compiler's ar, which reads its intermediate code.
if(CMAKE_C_COMPILER_AR AND CMAKE_C_COMPILER_RANLIB)
    set(CMAKE_AR "${CMAKE_C_COMPILER_AR}")
    set(CMAKE_RANLIB "${CMAKE_C_COMPILER_RANLIB}")
endif()
