import COpenSSL

/// The certificates of one file, in the file's order: the certificate of an identity and its chain, or the certificates
/// of authorities.
///
/// This type is a class, because it frees the certificates when it ends, and because an array cannot hold noncopyable
/// values such as `Certificate`. `@unchecked Sendable` because certificates never change after they were parsed, and
/// OpenSSL guards its caches with locks.
package final class CertificateBundle: @unchecked Sendable {
    /// The certificates, at least one. The pointers are valid for as long as this object lives. An OpenSSL function
    /// that keeps one takes a reference of its own.
    let certificates: [OpaquePointer]

    /// - Parameter pem: certificates in PEM. Text and blocks of other kinds between them are skipped. The result is
    ///   `nil` if there is no certificate, or one that cannot be parsed.
    package init?(pem: [UInt8]) {
        defer { OpenSSLErrorQueue.clear() }
        guard let stream = MemoryStream(pem) else { return nil }
        OpenSSLErrorQueue.clear()
        var certificates: [OpaquePointer] = []
        while let certificate = PEM_read_bio_X509(stream.stream, nil, nil, nil) { certificates.append(certificate) }
        // At the end of the text, OpenSSL reports a missing start line. Any other error means that a certificate cannot
        // be parsed.
        let isWhole = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE
        guard isWhole, !certificates.isEmpty else {
            for certificate in certificates { X509_free(certificate) }
            return nil
        }
        self.certificates = certificates
    }

    /// - Parameter der: the certificates in DER, each without trailing bytes. The result is `nil` if there is none, or
    ///   one that cannot be parsed.
    init?(der: [[UInt8]]) {
        defer { OpenSSLErrorQueue.clear() }
        var certificates: [OpaquePointer] = []
        for bytes in der where bytes.count <= CertificateAuthority.certificateBytesMax {
            let certificate: OpaquePointer? = bytes.withUnsafeBufferPointer { buffer in
                var position = buffer.baseAddress
                guard let certificate = d2i_X509(nil, &position, buffer.count) else { return nil }
                guard let start = buffer.baseAddress, position == start + buffer.count else {
                    X509_free(certificate)
                    return nil
                }
                return certificate
            }
            if let certificate { certificates.append(certificate) }
        }
        guard certificates.count == der.count, !certificates.isEmpty else {
            for certificate in certificates { X509_free(certificate) }
            return nil
        }
        self.certificates = certificates
    }

    /// Each certificate in DER, in the file's order.
    package func der() throws(CryptographyError) -> [[UInt8]] {
        var result: [[UInt8]] = []
        for certificate in certificates {
            var encoding: UnsafeMutablePointer<UInt8>?
            let length = i2d_X509(certificate, &encoding)
            guard length > 0, let encoding else { throw CryptographyError(takingReasonFor: .encodeCertificate) }
            result.append(Array(UnsafeBufferPointer(start: encoding, count: Int(length))))
            CRYPTO_free(encoding, #fileID, #line)
        }
        return result
    }

    /// The fingerprint of each certificate's key, in the file's order.
    package func fingerprints() throws(CryptographyError) -> [Fingerprint] {
        var result: [Fingerprint] = []
        for certificate in certificates { result.append(try Certificate(sharing: certificate).fingerprint()) }
        return result
    }

    /// All certificates in PEM, in the file's order.
    package func pem() throws(CryptographyError) -> [UInt8] {
        var result: [UInt8] = []
        for certificate in certificates { result += try Certificate(sharing: certificate).pem() }
        return result
    }

    /// The first certificate of the file.
    package var first: Certificate { Certificate(sharing: certificates[0]) }

    /// The other certificates of the file.
    var rest: ArraySlice<OpaquePointer> { certificates.dropFirst() }

    deinit {
        for certificate in certificates { X509_free(certificate) }
    }
}
