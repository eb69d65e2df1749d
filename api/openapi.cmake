# Embeds openapi.yaml in stele_api as JSON. Needs python3 and python3-yaml.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
set(openapi_folder ${PROJECT_BINARY_DIR}/generated)
file(MAKE_DIRECTORY ${openapi_folder})
add_custom_command(
  OUTPUT ${openapi_folder}/openapi_json.inc
  COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/api/openapi_embed.py
          ${PROJECT_SOURCE_DIR}/api/openapi.yaml ${openapi_folder}/openapi_json.inc
  DEPENDS ${PROJECT_SOURCE_DIR}/api/openapi.yaml ${PROJECT_SOURCE_DIR}/api/openapi_embed.py
  COMMENT "Embedding openapi.yaml"
  VERBATIM)
target_sources(stele_api PRIVATE ${openapi_folder}/openapi_json.inc)
target_include_directories(stele_api PRIVATE ${openapi_folder})
