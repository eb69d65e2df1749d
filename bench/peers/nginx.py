"""nginx: what an HTTP server can do that does nothing."""

import os

from harness.process import Server

CONFIG = """\
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
{user}
events {{ worker_connections 4096; }}
http {{
  access_log off;
  sendfile on;
  tcp_nopush on;
  open_file_cache max=10000;
  keepalive_requests 1000000000;
  keepalive_timeout 3600s;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  client_max_body_size 64m;
  default_type application/json;
  server {{
    listen 127.0.0.1:{port};
    {location}
  }}
}}
"""


class Nginx(Server):
    name = "nginx"

    def start(self):
        config = self.folder / "nginx.conf"
        # Workers give up root otherwise, and cannot read the folder then.
        config.write_text(CONFIG.format(folder=self.folder, port=self.port, location=self.location(),
                                        user="user root;" if os.getuid() == 0 else ""))
        self.spawn("nginx", "-p", self.folder, "-c", config, "-e", self.folder / "error.log")
        self.wait_for_port()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/v1/events"


class ConstantAnswer(Nginx):
    """Every POST gets the same 201. `return` discards the request's body after reading it."""

    def __init__(self, folder, body):
        self.body = body
        super().__init__(folder)

    def location(self):
        return f"location / {{ return 201 '{self.body}'; }}"


class Refusal(Nginx):
    """Every request gets a 500."""

    def location(self):
        return "location / { return 500; }"


class Files(Nginx):
    """GET of the files in `content`, {name: bytes}, at /pages/."""

    def __init__(self, folder, content):
        self.content = content
        super().__init__(folder)

    def location(self):
        pages = self.folder / "pages"
        pages.mkdir()
        for name, body in self.content.items():
            (pages / name).write_bytes(body)
        return f"location /pages/ {{ root {self.folder}; }}"
