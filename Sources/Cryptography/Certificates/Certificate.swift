import COpenSSL
import TransferCommon
import WireProtocol

/// Owns one `X509` of OpenSSL and frees it.
///
/// `@unchecked Sendable` because a certificate never changes after it was made, and OpenSSL guards its caches with
/// locks.
package struct Certificate: ~Copyable, @unchecked Sendable {
    /// Pointer to the `X509`. It is valid for as long as this value lives. An OpenSSL function that keeps the pointer
    /// takes a reference of its own.
    package let certificate: OpaquePointer

    /// The validity of every certificate that this type makes. Peers that identify each other by fingerprint ignore the
    /// dates, and a device's clock may be wrong. So the validity begins in the past and ends at the date that RFC 5280
    /// (4.1.2.5) reserves for *never*.
    private static let notBefore = "20200101000000Z"
    private static let notAfter = "99991231235959Z"

    /// Makes a version 3 certificate that is signed by its own key.
    /// - Parameter name: the common name of subject and issuer, at most 64 characters.
    package init(selfSignedBy key: borrowing PrivateKey, name: String) throws(CryptographyError) {
        try self.init(for: key, name: name, signedBy: key)
    }

    /// Makes a version 3 certificate for a key, signed by another key. The signature proves that `key` is the successor
    /// of the signer's key.
    /// - Parameter name: the common name of subject and issuer, at most 64 characters.
    package init(
        for key: borrowing PrivateKey, name: String, signedBy signer: borrowing PrivateKey
    ) throws(CryptographyError) {
        let serialNumber = try SecureRandom.publicBytes(count: 8).reduce(0) { $0 << 8 | UInt64($1) }
        guard let certificate = X509_new() else { throw CryptographyError(takingReasonFor: .makeCertificate) }
        guard Self.fill(certificate, serialNumber: serialNumber, name: Array(name.utf8)),
            X509_set_pubkey(certificate, key.key) == 1,
            // `X509_sign` returns the size of the signature, and 0 or less for a failure.
            X509_sign(certificate, signer.key, signer.signatureDigest) > 0
        else {
            X509_free(certificate)
            throw CryptographyError(takingReasonFor: .makeCertificate)
        }
        self.certificate = certificate
    }

    /// - Parameter certificate: an `X509` that the caller keeps; this value takes a reference of its own.
    package init(sharing certificate: OpaquePointer) {
        X509_up_ref(certificate)
        self.certificate = certificate
    }

    /// The certificate in PEM.
    package func pem() throws(CryptographyError) -> [UInt8] {
        guard let stream = MemoryStream(), PEM_write_bio_X509(stream.stream, certificate) == 1,
            let pem = stream.contents()
        else { throw CryptographyError(takingReasonFor: .encodeCertificate) }
        return pem
    }

    /// The fingerprint of the public key as it is encoded in the certificate.
    package func fingerprint() throws(CryptographyError) -> Fingerprint {
        Fingerprint(try SHA256Digest.of(publicKey()))
    }

    /// The public key as it is encoded in the certificate: DER SubjectPublicKeyInfo.
    package func publicKey() throws(CryptographyError) -> [UInt8] {
        var encoding: UnsafeMutablePointer<UInt8>?
        let length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &encoding)
        guard length > 0, let encoding else { throw CryptographyError(takingReasonFor: .readPublicKey) }
        defer { CRYPTO_free(encoding, #fileID, #line) }
        return Array(UnsafeBufferPointer(start: encoding, count: Int(length)))
    }

    /// Whether the certificate is for this private key.
    package func belongs(to key: borrowing PrivateKey) -> Bool {
        defer { OpenSSLErrorQueue.clear() }
        return X509_check_private_key(certificate, key.key) == 1
    }

    /// Whether the certificate is signed by its own key. The signature is verified, because equal names of subject and
    /// issuer prove nothing: all keys of a site have the same name.
    var isSelfSigned: Bool {
        defer { OpenSSLErrorQueue.clear() }
        return X509_self_signed(certificate, 1) == 1
    }

    /// Whether subject and issuer have the same name. If so, the certificate is signed by its own key or by the
    /// previous key of the site, and not by an authority.
    var isSelfIssued: Bool {
        X509_NAME_cmp(X509_get_subject_name(certificate), X509_get_issuer_name(certificate)) == 0
    }

    /// Whether another certificate's key has signed this certificate. Names and dates are ignored.
    package func isSigned(by signer: borrowing Certificate) -> Bool {
        defer { OpenSSLErrorQueue.clear() }
        guard let key = X509_get0_pubkey(signer.certificate) else { return false }
        return X509_verify(certificate, key) == 1
    }

    /// The common name, or else the first DNS name; `nil` if the certificate has neither, or neither is valid text.
    package var name: String? { commonName() ?? firstDNSName() }

    private func commonName() -> String? {
        guard let subject = X509_get_subject_name(certificate) else { return nil }
        let index = X509_NAME_get_index_by_NID(subject, NID_commonName, -1)
        guard index >= 0, let entry = X509_NAME_get_entry(subject, index) else { return nil }
        var text: UnsafeMutablePointer<UInt8>?
        let length = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(entry))
        guard length >= 0, let text else {
            OpenSSLErrorQueue.clear()
            return nil
        }
        defer { CRYPTO_free(text, #fileID, #line) }
        return String(validating: UnsafeBufferPointer(start: text, count: Int(length)), as: UTF8.self)
    }

    private func firstDNSName() -> String? {
        defer { OpenSSLErrorQueue.clear() }
        guard let extensionValue = X509_get_ext_d2i(certificate, NID_subject_alt_name, nil, nil) else { return nil }
        let names = OpaquePointer(extensionValue)
        defer { GENERAL_NAMES_free(names) }
        for index in 0..<max(0, OPENSSL_sk_num(names)) {
            guard let name = OPENSSL_sk_value(names, index) else { continue }
            var type: Int32 = 0
            let value = GENERAL_NAME_get0_value(name.assumingMemoryBound(to: GENERAL_NAME.self), &type)
            guard type == GEN_DNS, let value else { continue }
            let text = UnsafePointer<ASN1_STRING>(value.assumingMemoryBound(to: ASN1_STRING.self))
            let bytes = UnsafeBufferPointer(start: ASN1_STRING_get0_data(text), count: Int(ASN1_STRING_length(text)))
            return String(validating: bytes, as: UTF8.self)
        }
        return nil
    }

    /// The caller has to free the certificate, whatever the result is.
    private static func fill(_ certificate: OpaquePointer, serialNumber: UInt64, name: [UInt8]) -> Bool {
        guard let nameLength = Int32(exactly: name.count), let subject = X509_get_subject_name(certificate) else {
            return false
        }
        // RFC 5280 (4.1.2.2) requires a positive serial number.
        return X509_set_version(certificate, Int(X509_VERSION_3)) == 1
            && ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), max(1, serialNumber)) == 1
            && ASN1_TIME_set_string_X509(X509_getm_notBefore(certificate), notBefore) == 1
            && ASN1_TIME_set_string_X509(X509_getm_notAfter(certificate), notAfter) == 1
            && X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8, name, nameLength, -1, 0) == 1
            && X509_set_issuer_name(certificate, subject) == 1
    }

    deinit {
        X509_free(certificate)
    }
}

extension Certificate {
    /// Whether the certificate is for a host of this name or address: compares the alternative names, or the common
    /// name if it has no alternative names.
    package func isFor(_ name: String) -> Bool {
        defer { OpenSSLErrorQueue.clear() }
        return X509_check_host(certificate, name, name.utf8.count, 0, nil) == 1
            || X509_check_ip_asc(certificate, name, 0) == 1
    }
}
