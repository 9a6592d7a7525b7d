import COpenSSL

/// The certificates of one file, in its order: an identity's own with those that lead to its authority, or authorities.
///
/// A class, because what owns a certificate cannot stand in an array. `@unchecked Sendable` because certificates are
/// never changed once read, and OpenSSL guards what it caches inside.
package final class CertificateBundle: @unchecked Sendable {
    /// Lent to OpenSSL calls only; those that keep one take a reference of their own. Not empty.
    let certificates: [OpaquePointer]

    /// - Parameter pem: texts and blocks of other kinds between the certificates are passed over. `nil` where there is
    ///   no certificate, or one that cannot be read.
    package init?(pem: [UInt8]) {
        defer { OpenSSLErrorQueue.clear() }
        guard let stream = MemoryStream(pem) else { return nil }
        OpenSSLErrorQueue.clear()
        var certificates: [OpaquePointer] = []
        while let certificate = PEM_read_bio_X509(stream.stream, nil, nil, nil) { certificates.append(certificate) }
        // The end is told as that nothing more begins.
        let isWhole = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE
        guard isWhole, !certificates.isEmpty else {
            for certificate in certificates { X509_free(certificate) }
            return nil
        }
        self.certificates = certificates
    }

    /// - Parameter der: a certificate each, with nothing behind it. `nil` where there is none, or one that cannot be
    ///   read.
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

    /// Each as DER, in the file's order.
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

    /// Of each key, in the file's order.
    package func fingerprints() throws(CryptographyError) -> [Fingerprint] {
        var result: [Fingerprint] = []
        for certificate in certificates { result.append(try Certificate(sharing: certificate).fingerprint()) }
        return result
    }

    /// Each as PEM, in the file's order.
    package func pem() throws(CryptographyError) -> [UInt8] {
        var result: [UInt8] = []
        for certificate in certificates { result += try Certificate(sharing: certificate).pem() }
        return result
    }

    /// The file's first.
    package var first: Certificate { Certificate(sharing: certificates[0]) }

    /// The file's others.
    var rest: ArraySlice<OpaquePointer> { certificates.dropFirst() }

    deinit {
        for certificate in certificates { X509_free(certificate) }
    }
}
