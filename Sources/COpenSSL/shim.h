#pragma once
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

// The options are macros over a macro with a parameter, which Swift does not import.

/// Turns off what Sluice does not use: resumption by tickets, renegotiation, compression.
static inline uint64_t sluice_SSL_OP_nothing_optional(void) {
    return SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION;
}

/// The server chooses the cipher, but uses ChaCha20 where the client prefers it.
static inline uint64_t sluice_SSL_OP_server_chooses_cipher(void) {
    return SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA;
}
