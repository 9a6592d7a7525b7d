package import TransferCommon
package import WireProtocol

// What an agent has to know about gateways to keep the receipts that they sign (specification §9.5).

/// The store, name and key prefix of this device, as WELCOME states them. They are equal at all gateways of a site.
package struct DeviceSite: Hashable, Sendable {
    package var store: StoreIdentity
    /// The device's name at the gateways.
    package var device: String
    /// The beginning of the device's whole keys: empty, or ending in a slash.
    package var prefix: String

    package init(store: StoreIdentity, device: String, prefix: String) {
        self.store = store
        self.device = device
        self.prefix = prefix
    }

    /// Compares texts by their bytes: prefixes that only look alike are different places.
    package static func == (left: DeviceSite, right: DeviceSite) -> Bool {
        left.store == right.store && left.device.hasSameBytes(as: right.device)
            && left.prefix.hasSameBytes(as: right.prefix)
    }

    /// The whole key in the store of one of the device's keys.
    package func wholeKey(_ key: String) -> String { prefix + key }
}

extension Welcome {
    /// The device's store, name and key prefix, according to this gateway.
    package var site: DeviceSite { DeviceSite(store: storeIdentity, device: deviceName, prefix: prefix) }
}

/// What a gateway proved in the TLS handshake.
package struct GatewayProof: Hashable, Sendable {
    /// The fingerprint of the gateway's key.
    package var fingerprint: SHA256Digest
    /// The certificates that the gateway showed, in DER, its own first; empty if the agent does not keep them.
    package var certificates: [[UInt8]]

    package init(fingerprint: SHA256Digest, certificates: [[UInt8]] = []) {
        self.fingerprint = fingerprint
        self.certificates = certificates
    }
}

/// The outcome of the request for an object's receipt.
package enum ReceiptOutcome: Hashable, Sendable {
    case notAskedFor
    /// The gateway has signed exactly the statement that the agent expects of the object.
    case kept(StoredReceipt)
    /// The gateway sent no receipt, or an invalid one.
    case missing
}

/// Why a receipt that a gateway sent is not kept.
package enum ReceiptRefusal: Hashable, Sendable {
    /// The gateway signs with another key than it proved in the handshake.
    case otherKey
    /// The signature is for another statement than the agent expects: a field differs.
    case badSignature
}

/// The cryptography that the agent's machine uses. It comes in as an argument, so the machine depends on no library.
package protocol AgentCryptography: RootDigesting {
    /// SHA-256 of a public key (DER SubjectPublicKeyInfo); `nil` if the library fails.
    func fingerprint(ofKey publicKey: [UInt8]) -> SHA256Digest?

    /// Whether the key (DER SubjectPublicKeyInfo) has signed exactly these bytes. False if the key is not valid.
    func isSignature(_ signature: [UInt8], of statement: [UInt8], by publicKey: [UInt8]) -> Bool
}
