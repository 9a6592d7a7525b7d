package import TransferCommon

/// The access key of a shared profile, or the role that the profile assumes with a web identity.
package struct SharedProfileCredentials: S3CredentialSource {
    private let profile: SharedProfile
    private let service: SecurityTokenService

    package init(environment: AWSEnvironment, region: String? = nil) {
        self.profile = SharedProfile(environment: environment)
        self.service = SecurityTokenService(environment: environment, region: region)
    }

    package func credentials(insteadOf expired: S3Credentials?) async throws(StoreError) -> S3Credentials? {
        guard let settings = try profile.settings() else { return nil }
        let value = { (name: String) in settings[name].flatMap { $0.isEmpty ? nil : $0 } }
        if let id = value("aws_access_key_id"), let secret = value("aws_secret_access_key") {
            return S3Credentials(accessKeyID: id, secretAccessKey: secret, sessionToken: value("aws_session_token"))
        }
        guard value("aws_access_key_id") == nil, value("aws_secret_access_key") == nil else {
            throw StoreError(.denied, "The shared profile lacks the id or the secret of its access key.")
        }
        if let role = value("role_arn"), let file = value("web_identity_token_file") {
            let identity = WebIdentity(roleARN: role, tokenFile: file, sessionName: value("role_session_name"))
            return try await service.credentials(for: identity)
        }
        if let name = Self.unsupported.first(where: { value($0) != nil }) {
            throw StoreError(.denied, "The shared profile uses \(name), which Sluice does not support.")
        }
        return nil
    }

    /// Settings for ways to get credentials that Sluice does not support. A profile with one of these settings is
    /// refused. If it were skipped, the gateway would use other credentials than the operator intended.
    private static let unsupported = [
        "role_arn", "credential_process", "sso_session", "sso_start_url", "login_session",
    ]
}
