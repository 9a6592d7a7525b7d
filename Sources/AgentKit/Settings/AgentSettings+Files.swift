import Cryptography
package import Settings
import SystemSupport

extension AgentSettings {
    /// The problems of what settings name: the file of `ca`, a settings file that gives nothing by which to identify
    /// the gateway, and a folder that contains the home. The check only reads, and connects to nothing.
    package static func problems(
        of settings: SettingsInForce<AgentSettings>, in home: AgentHome
    ) -> [SettingProblem] {
        let folder = settings.values.folderProblem(home: home.path).map { reason in
            SettingProblem(source: settings.source(of: "folders"), setting: "folders", reason: reason)
        }
        return gatewayProblems(of: settings, in: home) + [folder].compactMap { $0 }
    }

    private static func gatewayProblems(
        of settings: SettingsInForce<AgentSettings>, in home: AgentHome
    ) -> [SettingProblem] {
        let values = settings.values
        if let file = values.authority {
            do throws(CertificateAuthorityError) {
                _ = try CertificateAuthority.load(from: home.absolutePath(ofAuthority: file))
                return []
            } catch {
                return [SettingProblem(source: settings.source(of: "ca"), setting: "ca", reason: error.description)]
            }
        }
        // Without a settings file nothing was written wrong: the home is not made yet.
        let path = home.configurationPath
        guard values.pin == nil, !values.plaintext, AtomicFile.exists(path) else { return [] }
        return [
            SettingProblem(
                source: .file(path: path, line: nil), setting: "pin",
                reason: "is missing, and so is ca, so nothing identifies the gateway; write the gateway's fingerprint, "
                    + "the last line of sluice-gateway init")
        ]
    }
}
