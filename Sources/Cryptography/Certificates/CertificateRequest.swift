import COpenSSL

/// Makes requests for a certificate (PKCS#10), from which an authority makes a certificate for a key. A request has the
/// public key and a name, and is signed by the key.
enum CertificateRequest {
    /// Makes a request for a certificate of this key.
    ///
    /// - Parameter name: the common name, at most 64 characters.
    /// - Returns: PEM.
    static func pem(for key: borrowing PrivateKey, name: String) throws(CryptographyError) -> [UInt8] {
        guard let request = X509_REQ_new() else { throw CryptographyError(takingReasonFor: .makeRequest) }
        defer { X509_REQ_free(request) }
        let name = Array(name.utf8)
        guard let nameLength = Int32(exactly: name.count), let subject = X509_REQ_get_subject_name(request),
            X509_REQ_set_version(request, Int(X509_REQ_VERSION_1)) == 1,
            X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8, name, nameLength, -1, 0) == 1,
            X509_REQ_set_pubkey(request, key.key) == 1,
            // `X509_REQ_sign` returns the size of the signature, and 0 or less for a failure.
            X509_REQ_sign(request, key.key, key.signatureDigest) > 0,
            let stream = MemoryStream(), PEM_write_bio_X509_REQ(stream.stream, request) == 1,
            let pem = stream.contents()
        else { throw CryptographyError(takingReasonFor: .makeRequest) }
        return pem
    }
}
