import FoundationEssentials
import NIOHTTP1
import SystemSupport
package import TransferCommon
import WireProtocol

/// Credentials from the server that issues them to the containers of a task (ECS) or pod (EKS).
/// `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI` is a path at the fixed address of ECS. `AWS_CONTAINER_CREDENTIALS_FULL_URI`
/// is a full URL, which must pass `isSafe`.
package struct ContainerCredentials: S3CredentialSource {
    private static let tokenBytesMax = 64 << 10

    private let environment: AWSEnvironment
    private let relativeOrigin: String
    private let http = CredentialHTTP(timeLimit: .seconds(5), name: "The container's credentials endpoint")

    /// - Parameter relativeOrigin: the server that the relative URI belongs to. The default is the fixed address of
    ///   ECS; tests use another.
    package init(environment: AWSEnvironment, relativeOrigin: String = "http://169.254.170.2") {
        self.environment = environment
        self.relativeOrigin = relativeOrigin
    }

    package func credentials(insteadOf expired: S3Credentials?) async throws(StoreError) -> S3Credentials? {
        guard let address = try address() else { return nil }
        let token = try token()
        let answer = try await http.send(.GET, address, headers: token.map { [("authorization", $0)] } ?? [])
        guard answer.status == 200 else {
            let isPassing = answer.status >= 500 || answer.status == 429
            throw StoreError(
                isPassing ? .unavailable : .denied,
                "The container's credentials endpoint refuses with status \(answer.status).")
        }
        guard let credentials = CredentialDocuments.credentials(answer.body) else {
            throw StoreError(.unavailable, "The answer of the container's credentials endpoint is invalid.")
        }
        return credentials
    }

    private func address() throws(StoreError) -> String? {
        if let path = environment["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] {
            guard path.isAbsolutePath else {
                throw StoreError(.denied, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI does not begin with a slash.")
            }
            return relativeOrigin + path
        }
        guard let address = environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"] else { return nil }
        guard Self.isSafe(address) else {
            throw StoreError(
                .denied,
                "AWS_CONTAINER_CREDENTIALS_FULL_URI names a host that is neither this machine nor behind HTTPS.")
        }
        return address
    }

    /// Whether the authorization token may be sent to this address. The address must use HTTPS, or name this machine or
    /// a link-local address of ECS or EKS.
    package static func isSafe(_ address: String) -> Bool {
        CredentialAddress.isSafe(address, linkHosts: CredentialAddress.containerHosts)
    }

    /// The authorization token. A token file takes precedence over a token in the environment. The file is read each
    /// time, because it is replaced while the process runs.
    private func token() throws(StoreError) -> String? {
        let token: String
        if let file = environment["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] {
            do {
                let bytes = try BoundedFile.read(file, bytesMax: Self.tokenBytesMax, access: .anyone)
                token = String(decoding: bytes, as: UTF8.self).trimmingBlanks
            } catch {
                throw StoreError(.denied, "The file of the container's authorization cannot be read.", cause: error)
            }
        } else if let given = environment["AWS_CONTAINER_AUTHORIZATION_TOKEN"] {
            token = given
        } else {
            return nil
        }
        guard token.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) else {
            throw StoreError(.denied, "The container's authorization is not a single line of text.")
        }
        return token
    }
}
