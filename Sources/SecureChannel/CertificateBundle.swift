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

    /// The file's first.
    var first: Certificate { Certificate(sharing: certificates[0]) }

    /// The file's others.
    var rest: ArraySlice<OpaquePointer> { certificates.dropFirst() }

    deinit {
        for certificate in certificates { X509_free(certificate) }
    }
}
