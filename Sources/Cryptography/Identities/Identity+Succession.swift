// How a site replaces its key (specification §5.1): the current key signs the certificate of the next key. After the
// change the gateways present the new certificate, followed by the old one.

extension Identity {
    /// The fingerprints of the keys in all certificates that this identity presents to peers, its own key first.
    package func chain() throws(CryptographyError) -> [Fingerprint] {
        try bundle?.fingerprints() ?? [fingerprint]
    }

    /// Whether this identity's certificate is signed by an authority, and not by its own key or by the previous key of
    /// the site.
    package var isVouchedFor: Bool { !certificate.isSelfIssued }

    /// Makes a certificate for the next key, signed by this identity's key, in PEM.
    package func certificate(forNext key: borrowing PrivateKey) throws(CryptographyError) -> [UInt8] {
        try Certificate(for: key, name: name, signedBy: privateKey).pem()
    }

    /// Whether the first certificate of a file is signed by this identity's key.
    package func hasSigned(_ next: CertificateBundle) -> Bool {
        next.first.isSigned(by: certificate)
    }

    /// The chain to present after the change to the next key, in PEM: the certificate of the next key, followed by all
    /// certificates that this identity presents now.
    package func chain(behind next: CertificateBundle) throws(CryptographyError) -> [UInt8] {
        let shown = if let bundle { try bundle.pem() } else { try certificate.pem() }
        return try next.first.pem() + shown
    }

    /// Makes a new self-signed certificate for this identity's key, in PEM.
    package func selfSignedCertificate() throws(CryptographyError) -> [UInt8] {
        try Certificate(selfSignedBy: privateKey, name: name).pem()
    }

    /// Makes a request with which an authority can certify this identity's key, in PEM.
    package func certificateRequest() throws(CryptographyError) -> [UInt8] {
        try CertificateRequest.pem(for: privateKey, name: name)
    }
}
