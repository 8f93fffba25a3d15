# SPDX-License-Identifier: Apache-2.0
"""TLS 1.2 by OpenSSL itself, for what Python's ssl module does not do:
demanding a renegotiation (RFC 5246 7.4.1.1), as a client or as a server."""

import ctypes
import ctypes.util
import socket

TLS1_2 = 0x0303
SET_MAX_VERSION = 124
PEM = 1

_ssl = ctypes.CDLL(ctypes.util.find_library("ssl"))
for _name in ("SSL_CTX_new", "SSL_new", "TLS_client_method", "TLS_server_method"):
    getattr(_ssl, _name).restype = ctypes.c_void_p


class RawTls:
    """A connection that is TLS 1.2 by now; the socket must block."""

    def __init__(self, connection: socket.socket, identity=None) -> None:
        server = identity is not None
        method = _ssl.TLS_server_method() if server else _ssl.TLS_client_method()
        self._context = ctypes.c_void_p(_ssl.SSL_CTX_new(ctypes.c_void_p(method)))
        _ssl.SSL_CTX_ctrl(self._context, SET_MAX_VERSION, ctypes.c_long(TLS1_2), None)
        if server:
            chain, key = str(identity.chain_file).encode(), str(identity.key_file)
            assert _ssl.SSL_CTX_use_certificate_chain_file(self._context, chain) == 1
            assert (
                _ssl.SSL_CTX_use_PrivateKey_file(self._context, key.encode(), PEM) == 1
            )
        self._socket = connection
        self._ssl = ctypes.c_void_p(_ssl.SSL_new(self._context))
        _ssl.SSL_set_fd(self._ssl, connection.fileno())
        shake = _ssl.SSL_accept if server else _ssl.SSL_connect
        assert shake(self._ssl) == 1

    def renegotiate(self) -> bool:
        """False: the peer refused, or has gone."""
        return (
            _ssl.SSL_renegotiate(self._ssl) == 1
            and _ssl.SSL_do_handshake(self._ssl) == 1
        )

    def write(self, data: bytes) -> bool:
        return _ssl.SSL_write(self._ssl, data, len(data)) == len(data)

    def read(self) -> bytes:
        """Empty: the connection is over."""
        buffer = ctypes.create_string_buffer(4096)
        size = _ssl.SSL_read(self._ssl, buffer, len(buffer))
        return buffer.raw[:size] if size > 0 else b""

    def close(self) -> None:
        _ssl.SSL_free(self._ssl)
        _ssl.SSL_CTX_free(self._context)
        self._socket.close()
