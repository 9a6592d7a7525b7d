// How one key of a site follows another (specification §5.1): the present key signs the next one's certificate, and the
// next one is shown with the present one's certificate behind it.

extension Identity {
    /// Of the keys in the certificates that peers are shown, the own one first.
    package func chain() throws(CryptographyError) -> [Fingerprint] {
        try bundle?.fingerprints() ?? [fingerprint]
    }

    /// Whether an authority has signed the own certificate, as against the key itself or the site's key before it.
    package var isVouchedFor: Bool { !certificate.isSelfIssued }

    /// A certificate for the key that is to follow, signed by this identity's key. PEM.
    package func certificate(forNext key: borrowing PrivateKey) throws(CryptographyError) -> [UInt8] {
        try Certificate(for: key, name: name, signedBy: privateKey).pem()
    }

    /// Whether the first certificate of a file is signed by this identity's key.
    package func hasSigned(_ next: CertificateBundle) -> Bool {
        next.first.isSigned(by: certificate)
    }

    /// What is shown once the next key is the present one: its certificate, and behind it all that is shown now. PEM.
    package func chain(behind next: CertificateBundle) throws(CryptographyError) -> [UInt8] {
        let shown = if let bundle { try bundle.pem() } else { try certificate.pem() }
        return try next.first.pem() + shown
    }

    /// A new certificate for the own key that is signed by nobody else. PEM.
    package func selfSignedCertificate() throws(CryptographyError) -> [UInt8] {
        try Certificate(selfSignedBy: privateKey, name: name).pem()
    }

    /// A request for an authority to sign the own key. PEM.
    package func certificateRequest() throws(CryptographyError) -> [UInt8] {
        try CertificateRequest.pem(for: privateKey, name: name)
    }
}
