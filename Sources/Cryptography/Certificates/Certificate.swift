import COpenSSL
import TransferCommon
import WireProtocol

/// The one owner of an `X509`.
///
/// `@unchecked Sendable` because the certificate is never changed once made, and OpenSSL guards what it caches inside.
package struct Certificate: ~Copyable, @unchecked Sendable {
    /// Lent to OpenSSL calls only; those that keep it take a reference of their own.
    package let certificate: OpaquePointer

    /// Validity is of no use to peers that know each other by fingerprint, and a device's clock may say anything: it
    /// begins in the past, and ends at the date that RFC 5280 (4.1.2.5) sets aside for *never*.
    private static let notBefore = "20200101000000Z"
    private static let notAfter = "99991231235959Z"

    /// Version 3, signed by the key itself.
    /// - Parameter name: the common name of subject and issuer, at most 64 characters.
    package init(selfSignedBy key: borrowing PrivateKey, name: String) throws(CryptographyError) {
        try self.init(for: key, name: name, signedBy: key)
    }

    /// Version 3, signed by another key: what says that this key follows that one.
    /// - Parameter name: the common name of subject and issuer, at most 64 characters.
    package init(
        for key: borrowing PrivateKey, name: String, signedBy signer: borrowing PrivateKey
    ) throws(CryptographyError) {
        let serialNumber = try SecureRandom.publicBytes(count: 8).reduce(0) { $0 << 8 | UInt64($1) }
        guard let certificate = X509_new() else { throw CryptographyError(takingReasonFor: .makeCertificate) }
        guard Self.fill(certificate, serialNumber: serialNumber, name: Array(name.utf8)),
            X509_set_pubkey(certificate, key.key) == 1,
            // The result is the signature's size.
            X509_sign(certificate, signer.key, signer.signatureDigest) > 0
        else {
            X509_free(certificate)
            throw CryptographyError(takingReasonFor: .makeCertificate)
        }
        self.certificate = certificate
    }

    /// - Parameter certificate: OpenSSL's; a reference of our own is taken.
    package init(sharing certificate: OpaquePointer) {
        X509_up_ref(certificate)
        self.certificate = certificate
    }

    /// The certificate as a PEM file holds it.
    package func pem() throws(CryptographyError) -> [UInt8] {
        guard let stream = MemoryStream(), PEM_write_bio_X509(stream.stream, certificate) == 1,
            let pem = stream.contents()
        else { throw CryptographyError(takingReasonFor: .encodeCertificate) }
        return pem
    }

    /// Of the public key exactly as it stands in the certificate.
    package func fingerprint() throws(CryptographyError) -> Fingerprint {
        Fingerprint(try SHA256Digest.of(publicKey()))
    }

    /// The public key exactly as it stands in the certificate: DER SubjectPublicKeyInfo.
    package func publicKey() throws(CryptographyError) -> [UInt8] {
        var encoding: UnsafeMutablePointer<UInt8>?
        let length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &encoding)
        guard length > 0, let encoding else { throw CryptographyError(takingReasonFor: .readPublicKey) }
        defer { CRYPTO_free(encoding, #fileID, #line) }
        return Array(UnsafeBufferPointer(start: encoding, count: Int(length)))
    }

    /// Whether the certificate's public key is this key's.
    package func belongs(to key: borrowing PrivateKey) -> Bool {
        defer { OpenSSLErrorQueue.clear() }
        return X509_check_private_key(certificate, key.key) == 1
    }

    /// Whether nobody else has signed it. The names alone do not tell: a site's keys that follow one another share one.
    var isSelfSigned: Bool {
        defer { OpenSSLErrorQueue.clear() }
        return X509_self_signed(certificate, 1) == 1
    }

    /// Whether its signer has the name that it has itself: signed by its own key, or by the site's key before it.
    var isSelfIssued: Bool {
        X509_NAME_cmp(X509_get_subject_name(certificate), X509_get_issuer_name(certificate)) == 0
    }

    /// Whether it is signed by this certificate's key. Names and dates are not looked at.
    package func isSigned(by signer: borrowing Certificate) -> Bool {
        defer { OpenSSLErrorQueue.clear() }
        guard let key = X509_get0_pubkey(signer.certificate) else { return false }
        return X509_verify(certificate, key) == 1
    }

    /// What it is called by: the common name, or the first DNS name. `nil` where it has neither that is text.
    package var name: String? { commonName() ?? firstDNSName() }

    /// The subject's first common name, or `nil` where it has none that is text.
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

    /// `nil` where there is none that is text.
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

    /// All but the public key and the signature. Whether each step succeeded; the caller still owns the certificate.
    private static func fill(_ certificate: OpaquePointer, serialNumber: UInt64, name: [UInt8]) -> Bool {
        guard let nameLength = Int32(exactly: name.count), let subject = X509_get_subject_name(certificate) else {
            return false
        }
        // RFC 5280 (4.1.2.2) wants a positive number.
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
    /// Whether the certificate is for a host of this name or address, by its alternative names or, where it has none,
    /// by its common name.
    package func isFor(_ name: String) -> Bool {
        defer { OpenSSLErrorQueue.clear() }
        return X509_check_host(certificate, name, name.utf8.count, 0, nil) == 1
            || X509_check_ip_asc(certificate, name, 0) == 1
    }
}
