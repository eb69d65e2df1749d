# Embeds openapi.yaml in stele_api as JSON. Needs Debian's python3 and python3-yaml; another python3 on the PATH may lack the module.
find_program(STELE_PYTHON python3 PATHS /usr/bin NO_DEFAULT_PATH REQUIRED)
set(openapi_folder ${PROJECT_BINARY_DIR}/generated)
file(MAKE_DIRECTORY ${openapi_folder}/api)
add_custom_command(
  OUTPUT ${openapi_folder}/api/openapi_json.inc
  COMMAND ${STELE_PYTHON} ${PROJECT_SOURCE_DIR}/api/openapi_embed.py
          ${PROJECT_SOURCE_DIR}/api/openapi.yaml ${openapi_folder}/api/openapi_json.inc
  DEPENDS ${PROJECT_SOURCE_DIR}/api/openapi.yaml ${PROJECT_SOURCE_DIR}/api/openapi_embed.py
  COMMENT "Embedding openapi.yaml"
  VERBATIM)
target_sources(stele_api PRIVATE ${openapi_folder}/api/openapi_json.inc)
target_include_directories(stele_api PRIVATE ${openapi_folder})
