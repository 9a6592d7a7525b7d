import FoundationEssentials

/// Parses the answers of servers that issue credentials. Reads only the fields that Sluice needs.
package enum CredentialDocuments {
    /// Reads the JSON answer of container endpoints and of instance metadata.
    ///
    /// - Returns: `nil` if the bytes are not a valid answer, if the answer lacks the access key or its secret, or if
    ///   its `Code` is not `Success`.
    package static func credentials(_ bytes: [UInt8]) -> S3Credentials? {
        // try?: the parser's error is dropped, because it may quote the text, which may be a secret.
        guard let document = try? JSONDecoder().decode(Document.self, from: Data(bytes)) else { return nil }
        guard document.code.map({ $0 == "Success" }) ?? true else { return nil }
        return credentials(
            id: document.accessKeyId, secret: document.secretAccessKey, token: document.token,
            expiration: document.expiration)
    }

    /// Reads the security token service's XML answer to AssumeRoleWithWebIdentity.
    package static func assumedRole(_ bytes: [UInt8]) -> S3Credentials? {
        let result = S3XML.root(of: bytes)?.child("AssumeRoleWithWebIdentityResult")
        guard let found = result?.child("Credentials") else { return nil }
        return credentials(
            id: found.value(of: "AccessKeyId"), secret: found.value(of: "SecretAccessKey"),
            token: found.value(of: "SessionToken"), expiration: found.value(of: "Expiration"))
    }

    /// The error code in a refusal of the security token service. The code is used only if it consists of letters,
    /// digits and dots. The message is not read, because it may quote the token in the request.
    package static func errorCode(_ bytes: [UInt8]) -> String? {
        S3Documents.Failure(reading: bytes)?.code.flatMap { S3Refusal.isCode($0) ? $0 : nil }
    }

    private static func credentials(
        id: String?, secret: String?, token: String?, expiration: String?
    ) -> S3Credentials? {
        guard let id, let secret, !id.isEmpty, !secret.isEmpty else { return nil }
        // If the time of expiry is unreadable, it counts as unknown. The store refuses the credentials once they have
        // expired, and the gateway then renews them.
        return S3Credentials(
            accessKeyID: id, secretAccessKey: secret, sessionToken: token.flatMap { $0.isEmpty ? nil : $0 },
            expiration: expiration.flatMap { S3Time.date(xml: $0) })
    }

    private struct Document: Decodable {
        var code: String?
        var accessKeyId: String?
        var secretAccessKey: String?
        var token: String?
        var expiration: String?

        enum CodingKeys: String, CodingKey {
            case code = "Code"
            case accessKeyId = "AccessKeyId"
            case secretAccessKey = "SecretAccessKey"
            case token = "Token"
            case expiration = "Expiration"
        }
    }
}

extension String {
    /// The text without leading and trailing whitespace.
    var trimmingBlanks: String {
        let isBlank = { (character: Character) in character.isWhitespace }
        guard let first = firstIndex(where: { !isBlank($0) }), let last = lastIndex(where: { !isBlank($0) }) else {
            return ""
        }
        return String(self[first...last])
    }
}
