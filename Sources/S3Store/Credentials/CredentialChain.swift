package import Logging
import Synchronization
package import TransferCommon

/// Asks several sources in order and uses the first one that has credentials. Once a source has returned credentials,
/// only that source is asked again.
package final class CredentialChain: S3CredentialSource {
    /// A source of credentials, and the name under which operators see it.
    package struct Link: Sendable {
        package let name: String
        package let source: any S3CredentialSource

        package init(_ name: String, _ source: any S3CredentialSource) {
            self.name = name
            self.source = source
        }
    }

    private let links: [Link]
    private let logger: Logger
    private let chosen = Mutex<Link?>(nil)

    package init(_ links: [Link], logger: Logger) {
        self.links = links
        self.logger = logger
    }

    /// The sources that AWS's own tools use, in the same order: environment variables, a web identity, the shared
    /// files, a container's credential server, the machine's metadata service.
    ///
    /// - Parameter region: the store's region, used if the environment names none.
    package static func standard(
        environment: [String: String], region: String? = nil,
        logger: Logger = Logger(label: "silent") { _ in SwiftLogNoOpLogHandler() }
    ) -> CredentialChain {
        let environment = AWSEnvironment(environment)
        let isDisabled = InstanceCredentials.origin(environment) == nil
        return CredentialChain(
            [
                Link("the environment", EnvironmentCredentials(environment: environment)),
                Link("a web identity", WebIdentityCredentials(environment: environment, region: region)),
                Link("the shared files", SharedProfileCredentials(environment: environment, region: region)),
                Link("a container's endpoint", ContainerCredentials(environment: environment)),
                Link(
                    "the instance metadata" + (isDisabled ? " (switched off)" : ""),
                    InstanceCredentials(environment: environment)),
            ], logger: logger)
    }

    /// Returns credentials from the first source that has some.
    ///
    /// - Throws: `.denied` if no source has credentials.
    package func credentials(insteadOf expired: S3Credentials?) async throws(StoreError) -> S3Credentials? {
        if let link = chosen.withLock({ $0 }) {
            if let credentials = try await link.source.credentials(insteadOf: expired) { return credentials }
            throw StoreError(.unavailable, "The gateway's credentials came from \(link.name), which no longer has any.")
        }
        for link in links {
            guard let credentials = try await link.source.credentials(insteadOf: expired) else { continue }
            chosen.withLock { $0 = link }
            logger.info("Credentials for the store were found", metadata: ["s3.credentials": "\(link.name)"])
            return credentials
        }
        let tried = links.map(\.name).joined(separator: ", ")
        throw StoreError(.denied, "No credentials for the S3 store were found; tried \(tried).")
    }
}
