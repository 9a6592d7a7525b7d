// How a site replaces its key (specification §5.1): the current key signs the next key's certificate, and the gateways
// show the next certificate followed by the current one.

extension Identity {
    /// The fingerprints of the keys in the certificates that peers are shown, this identity's own first.
    package func chain() throws(CryptographyError) -> [Fingerprint] {
        try bundle?.fingerprints() ?? [fingerprint]
    }

    /// Whether an authority has signed this identity's certificate, rather than its own key or the previous key of the
    /// site.
    package var isVouchedFor: Bool { !certificate.isSelfIssued }

    /// Makes a certificate for the next key, signed by this identity's key. PEM.
    package func certificate(forNext key: borrowing PrivateKey) throws(CryptographyError) -> [UInt8] {
        try Certificate(for: key, name: name, signedBy: privateKey).pem()
    }

    /// Whether the first certificate of a file is signed by this identity's key.
    package func hasSigned(_ next: CertificateBundle) -> Bool {
        next.first.isSigned(by: certificate)
    }

    /// The chain to show once the next key is the current one: its certificate, followed by all certificates shown now.
    /// PEM.
    package func chain(behind next: CertificateBundle) throws(CryptographyError) -> [UInt8] {
        let shown = if let bundle { try bundle.pem() } else { try certificate.pem() }
        return try next.first.pem() + shown
    }

    /// Makes a new self-signed certificate for this identity's key. PEM.
    package func selfSignedCertificate() throws(CryptographyError) -> [UInt8] {
        try Certificate(selfSignedBy: privateKey, name: name).pem()
    }

    /// Makes a request for an authority to certify this identity's key. PEM.
    package func certificateRequest() throws(CryptographyError) -> [UInt8] {
        try CertificateRequest.pem(for: privateKey, name: name)
    }
}
