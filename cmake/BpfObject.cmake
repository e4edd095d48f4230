# bpf_object(NAME): NAME.bpf.c of the calling directory -> NAME.bpf.o -> NAME.skel.h, and an interface target NAME_skel
# that carries the include path. The compiler is any clang from 14 on (VNET_CLANG to choose one).
find_program(VNET_CLANG NAMES clang clang-19 clang-16 clang-14 REQUIRED)
find_program(VNET_BPFTOOL NAMES bpftool PATHS /usr/sbin REQUIRED)
find_program(VNET_LLVM_STRIP NAMES llvm-strip llvm-strip-19 llvm-strip-16 llvm-strip-14 REQUIRED)

# clang -target bpf does not look into the multiarch directory where Debian keeps <asm/types.h>. The objects are
# part of the program: they name no directory of the machine that built them.
set(VNET_BPF_FLAGS -target bpf -mcpu=v3 -g -O2 -std=gnu11
    -Wall -Wextra -Wno-unused-function -Wno-address-of-packed-member
    -ffile-prefix-map=${CMAKE_SOURCE_DIR}/= -fdebug-compilation-dir=.
    -I${CMAKE_SOURCE_DIR} -idirafter /usr/include/${CMAKE_LIBRARY_ARCHITECTURE})
if(CMAKE_COMPILE_WARNING_AS_ERROR)
  list(APPEND VNET_BPF_FLAGS -Werror)
endif()

function(bpf_object name)
  set(source ${CMAKE_CURRENT_SOURCE_DIR}/${name}.bpf.c)
  set(object ${CMAKE_BINARY_DIR}/bpf/${name}.bpf.o)
  set(skeleton ${CMAKE_BINARY_DIR}/bpf/${name}.skel.h)
  add_custom_command(
    OUTPUT ${object}
    COMMAND ${VNET_CLANG} ${VNET_BPF_FLAGS} -MD -MF ${object}.d -MT ${object} -c ${source} -o ${object}
    COMMAND ${VNET_LLVM_STRIP} -g ${object}
    DEPENDS ${source} DEPFILE ${object}.d
    COMMENT "BPF object ${name}.bpf.o" VERBATIM)
  add_custom_command(
    OUTPUT ${skeleton}
    COMMAND sh -c "\"$0\" gen skeleton \"$1\" name ${name}_bpf > \"$2\"" ${VNET_BPFTOOL} ${object} ${skeleton}
    DEPENDS ${object} COMMENT "Skeleton ${name}.skel.h" VERBATIM)
  add_custom_target(${name}_skel_gen DEPENDS ${skeleton})
  add_library(${name}_skel INTERFACE)
  add_dependencies(${name}_skel ${name}_skel_gen)
  target_include_directories(${name}_skel SYSTEM INTERFACE ${CMAKE_BINARY_DIR}/bpf)
  target_link_libraries(${name}_skel INTERFACE PkgConfig::LIBBPF)
endfunction()
