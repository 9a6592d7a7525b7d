package import FoundationEssentials
package import ObjectStore

/// What requests are signed with.
package struct S3Credentials: Hashable, Sendable {
    package var accessKeyID: String
    package var secretAccessKey: String
    /// Comes with temporary credentials and goes into every request.
    package var sessionToken: String?
    /// `nil` for those that last.
    package var expiration: Date?

    package init(
        accessKeyID: String, secretAccessKey: String, sessionToken: String? = nil, expiration: Date? = nil
    ) {
        self.accessKeyID = accessKeyID
        self.secretAccessKey = secretAccessKey
        self.sessionToken = sessionToken
        self.expiration = expiration
    }

    /// Both sign alike, whatever is said of how long they are good for.
    func isSame(as other: S3Credentials) -> Bool {
        accessKeyID == other.accessKeyID && secretAccessKey == other.secretAccessKey
            && sessionToken == other.sessionToken
    }

    /// Nothing in them would end the line of a header: the HTTP client refuses such a request, and tells why with the
    /// header's value.
    var isPrintable: Bool {
        [accessKeyID, secretAccessKey, sessionToken ?? ""].allSatisfy { text in
            text.utf8.allSatisfy { (0x20...0x7E).contains($0) }
        }
    }

    /// A server's text without what signs, should it have been told back to us.
    func redacted(_ text: String) -> String {
        var text = text
        for secret in [secretAccessKey, sessionToken ?? ""] where !secret.isEmpty {
            text = text.split(separator: secret, omittingEmptySubsequences: false).joined(separator: "…")
        }
        return text
    }
}

extension S3Credentials: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The key's id only: neither logs nor `dump` may show what signs.
    package var description: String { "S3Credentials(\(accessKeyID))" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: ["accessKeyID": accessKeyID]) }
}

/// Where credentials come from.
package protocol S3CredentialSource: Sendable {
    /// The credentials as of now.
    ///
    /// - Parameter expired: those that the store has just refused, so that a source which keeps a copy looks again.
    /// - Returns: `nil` where this source has none.
    /// - Throws: `.denied` with a sentence for the operator where there are some that cannot be used, `.unavailable`
    ///   where it may be different in a while.
    func credentials(insteadOf expired: S3Credentials?) async throws(StoreError) -> S3Credentials?
}

/// Credentials that are given once and never change.
package struct FixedCredentials: S3CredentialSource {
    private let credentials: S3Credentials

    package init(_ credentials: S3Credentials) {
        self.credentials = credentials
    }

    package func credentials(insteadOf expired: S3Credentials?) -> S3Credentials? { credentials }
}
