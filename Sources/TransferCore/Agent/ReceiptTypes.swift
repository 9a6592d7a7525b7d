package import TransferCommon
package import WireProtocol

// What an agent needs to know of gateways to keep what they sign (specification §9.5), and what came of it.

/// What WELCOME says of where this device's objects lie. All gateways of a site say the same.
package struct DeviceSite: Hashable, Sendable {
    package var store: StoreIdentity
    /// The name by which the gateways know the device.
    package var device: String
    /// What the device's whole keys begin with; empty, or ending in a slash.
    package var prefix: String

    package init(store: StoreIdentity, device: String, prefix: String) {
        self.store = store
        self.device = device
        self.prefix = prefix
    }

    /// Texts are compared as bytes: prefixes that only look alike are two places.
    package static func == (left: DeviceSite, right: DeviceSite) -> Bool {
        left.store == right.store && left.device.hasSameBytes(as: right.device)
            && left.prefix.hasSameBytes(as: right.prefix)
    }

    /// A key of the device as the store has it.
    package func wholeKey(_ key: String) -> String { prefix + key }
}

extension Welcome {
    /// Where the device's objects lie, by this gateway.
    package var site: DeviceSite { DeviceSite(store: storeIdentity, device: deviceName, prefix: prefix) }
}

/// What a gateway proved in the handshake.
package struct GatewayProof: Hashable, Sendable {
    /// The fingerprint of its key.
    package var fingerprint: SHA256Digest
    /// What it showed, DER, its own first; none where nobody needs them to follow them to an authority.
    package var certificates: [[UInt8]]

    package init(fingerprint: SHA256Digest, certificates: [[UInt8]] = []) {
        self.fingerprint = fingerprint
        self.certificates = certificates
    }
}

/// What became of the receipt of an object.
package enum ReceiptOutcome: Hashable, Sendable {
    case notAskedFor
    /// The gateway has signed what the agent knows of the object.
    case kept(StoredReceipt)
    /// None came, or what came is no receipt.
    case missing
}

/// Why a receipt that came is not kept.
package enum ReceiptRefusal: Hashable, Sendable {
    /// The gateway signs with another key than the one that it proved.
    case otherKey
    /// The signature is not one of what the agent knows: the two differ in a field.
    case badSignature
}

/// What the agent's machine needs of cryptography, handed in so that it stays free of libraries.
package protocol AgentCryptography: RootDigesting {
    /// SHA-256 of a public key (DER SubjectPublicKeyInfo); `nil` where the library fails.
    func fingerprint(ofKey publicKey: [UInt8]) -> SHA256Digest?

    /// Whether the key (DER SubjectPublicKeyInfo) has signed exactly these bytes. False, too, where the key is none.
    func isSignature(_ signature: [UInt8], of statement: [UInt8], by publicKey: [UInt8]) -> Bool
}
