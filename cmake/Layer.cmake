# vnet_layer(NAME SOURCES ... [PUBLIC ...] [PRIVATE ...]): the static library vnet_NAME, of the folder NAME here.
#
# A layer is compiled with the headers of those layers only that it is linked with: each has an include directory
# of its own, which holds nothing but a symbolic link to the layer's folder. So an #include that points upwards,
# or past a layer, does not compile. PUBLIC: layers and libraries that the layer's own headers include.
function(vnet_layer name)
  cmake_parse_arguments(LAYER "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  vnet_layer_headers(${name} ${CMAKE_CURRENT_SOURCE_DIR}/${name})
  list(TRANSFORM LAYER_SOURCES PREPEND ${name}/)
  list(TRANSFORM LAYER_SOURCES APPEND .cpp)
  add_library(vnet_${name} STATIC ${LAYER_SOURCES})
  target_link_libraries(vnet_${name} PUBLIC vnet_${name}_headers ${LAYER_PUBLIC} PRIVATE ${LAYER_PRIVATE})
endfunction()

# The include directory of a layer, as the interface target vnet_NAME_headers.
function(vnet_layer_headers name folder)
  file(RELATIVE_PATH path ${CMAKE_SOURCE_DIR} ${folder})
  set(root ${CMAKE_BINARY_DIR}/include/${name})
  get_filename_component(parent ${root}/${path} DIRECTORY)
  file(MAKE_DIRECTORY ${parent})
  file(CREATE_LINK ${folder} ${root}/${path} SYMBOLIC)
  add_library(vnet_${name}_headers INTERFACE)
  target_include_directories(vnet_${name}_headers INTERFACE ${root})
endfunction()
