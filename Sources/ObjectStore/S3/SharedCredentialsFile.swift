import FoundationEssentials
import SecureChannel

/// The file that AWS's tools share, `~/.aws/credentials` unless `AWS_SHARED_CREDENTIALS_FILE` names another, and in it
/// the profile `AWS_PROFILE` or `default`. It is read whenever it is asked, so that a renewed file is seen.
package struct SharedCredentialsFile: S3CredentialSource {
    private static let bytesMax = 1 << 20

    private let path: String?
    private let profile: String
    /// A profile that was asked for by name must be there.
    private let isProfileChosen: Bool

    package init(environment: [String: String]) {
        let home = environment["HOME"].flatMap { $0.isEmpty ? nil : $0 }
        let named = environment["AWS_SHARED_CREDENTIALS_FILE"].flatMap { $0.isEmpty ? nil : $0 }
        let profile = environment["AWS_PROFILE"].flatMap { $0.isEmpty ? nil : $0 }
        self.path = named ?? home.map { "\($0)/.aws/credentials" }
        self.profile = profile ?? "default"
        self.isProfileChosen = profile != nil
    }

    package func credentials(insteadOf expired: S3Credentials?) throws(StoreError) -> S3Credentials? {
        guard let path else { return nil }
        let bytes: [UInt8]
        do {
            bytes = try BoundedFile.read(path, bytesMax: Self.bytesMax, access: .anyone)
        } catch {
            if error.isMissing && !isProfileChosen { return nil }
            throw StoreError(.denied, "The shared credentials file cannot be read.", cause: error)
        }
        let settings = Self.settings(of: profile, in: String(decoding: bytes, as: UTF8.self))
        guard let settings else {
            guard isProfileChosen else { return nil }
            throw StoreError(.denied, "The shared credentials file lacks the profile that AWS_PROFILE names.")
        }
        guard let id = settings["aws_access_key_id"], let secret = settings["aws_secret_access_key"],
            !id.isEmpty, !secret.isEmpty
        else { throw StoreError(.denied, "The profile in the shared credentials file holds no access key.") }
        let token = settings["aws_session_token"].flatMap { $0.isEmpty ? nil : $0 }
        return S3Credentials(accessKeyID: id, secretAccessKey: secret, sessionToken: token)
    }

    /// The settings of one `[profile]`, their names in lower case. Later lines win, as in AWS's tools.
    ///
    /// - Returns: `nil` where there is no such profile.
    package static func settings(of profile: String, in text: String) -> [String: String]? {
        var settings: [String: String]?
        var isWithin = false
        for line in text.split(whereSeparator: \.isNewline) {
            let line = line.trimmed
            if line.isEmpty || line.hasPrefix("#") || line.hasPrefix(";") { continue }
            if line.hasPrefix("["), let end = line.firstIndex(of: "]") {
                isWithin = line[line.index(after: line.startIndex)..<end].trimmed == profile
                if isWithin && settings == nil { settings = [:] }
            } else if isWithin, let equals = line.firstIndex(of: "=") {
                let name = line[..<equals].trimmed.lowercased()
                settings?[name] = String(line[line.index(after: equals)...].trimmed)
            }
        }
        return settings
    }
}

extension Substring {
    fileprivate var trimmed: Substring {
        let isBlank = { (character: Character) in character == " " || character == "\t" }
        let start = drop(while: isBlank)
        guard let last = start.lastIndex(where: { !isBlank($0) }) else { return "" }
        return start[...last]
    }
}
