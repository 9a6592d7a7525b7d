package import FoundationEssentials
package import TransferCommon

/// Credentials that sign requests.
package struct S3Credentials: Hashable, Sendable {
    package var accessKeyID: String
    package var secretAccessKey: String
    /// Token that belongs to temporary credentials and that every request carries; `nil` for permanent ones.
    package var sessionToken: String?
    /// Time of expiry; `nil` if the credentials do not expire.
    package var expiration: Date?

    package init(
        accessKeyID: String, secretAccessKey: String, sessionToken: String? = nil, expiration: Date? = nil
    ) {
        self.accessKeyID = accessKeyID
        self.secretAccessKey = secretAccessKey
        self.sessionToken = sessionToken
        self.expiration = expiration
    }

    /// Whether both credentials give the same signatures. Their times of expiry are not compared.
    func isSame(as other: S3Credentials) -> Bool {
        accessKeyID == other.accessKeyID && secretAccessKey == other.secretAccessKey
            && sessionToken == other.sessionToken
    }

    /// Whether an HTTP header may carry all characters of the credentials. The caller checks this first, because the
    /// HTTP client's error for an invalid header quotes the header, and with it the secret.
    var isPrintable: Bool {
        [accessKeyID, secretAccessKey, sessionToken ?? ""].allSatisfy { text in
            text.utf8.allSatisfy { (0x20...0x7E).contains($0) }
        }
    }

    /// A text from a server, with these secrets removed in case the server quotes them.
    func redacted(_ text: String) -> String {
        var text = text
        for secret in [secretAccessKey, sessionToken ?? ""] { text = text.hiding(secret) }
        return text
    }
}

extension String {
    /// The text with an ellipsis in place of each occurrence of a secret. Compares bytes, because a combining mark
    /// behind the secret would change its last character.
    package func hiding(_ secret: some StringProtocol) -> String {
        // A shorter text cannot contain the secret, so do not search it. This saves about 50 allocations for each new
        // file: the store then answers 404 to the look-up of the key, with no message and a short request id.
        guard !secret.isEmpty, utf8.count >= secret.utf8.count else { return self }
        var bytes: [UInt8] = []
        var rest = utf8[...]
        while let byte = rest.first {
            if rest.starts(with: secret.utf8) {
                bytes += "…".utf8
                rest = rest.dropFirst(secret.utf8.count)
            } else {
                bytes.append(byte)
                rest = rest.dropFirst()
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension S3Credentials: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Shows only the id of the key, because neither logs nor `dump` may show the secrets.
    package var description: String { "S3Credentials(\(accessKeyID))" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: ["accessKeyID": accessKeyID]) }
}

/// A source of credentials.
package protocol S3CredentialSource: Sendable {
    /// Returns the current credentials.
    ///
    /// - Parameter expired: credentials that the store has just refused. A source with a cache must not return these
    ///   again, but read new ones.
    /// - Returns: `nil` if this source has no credentials.
    /// - Throws: `.denied` with a sentence for the operator if the source's credentials cannot be used;
    ///   `.unavailable` if a later call may succeed.
    func credentials(insteadOf expired: S3Credentials?) async throws(StoreError) -> S3Credentials?
}

/// Credentials that never change.
package struct FixedCredentials: S3CredentialSource {
    private let credentials: S3Credentials

    package init(_ credentials: S3Credentials) {
        self.credentials = credentials
    }

    package func credentials(insteadOf expired: S3Credentials?) -> S3Credentials? { credentials }
}
