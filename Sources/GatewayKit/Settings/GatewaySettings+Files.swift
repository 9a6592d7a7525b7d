import Cryptography
import Foundation
import ObjectStore
import S3Store
package import Settings
import TransferCommon

extension GatewaySettings {
    /// The problems of what settings name: the files of `ca` and `s3-ca`, the directory of `store`, and the S3 store
    /// that the settings describe together. The check only reads, and calls no server.
    package static func problems(of settings: SettingsInForce<GatewaySettings>) -> [SettingProblem] {
        let values = settings.values
        var problems: [SettingProblem] = []
        func add(_ name: String, _ reason: String) {
            problems.append(SettingProblem(source: settings.source(of: name), setting: name, reason: reason))
        }
        if let file = values.authority {
            do throws(CertificateAuthorityError) {
                _ = try CertificateAuthority.load(from: file)
            } catch {
                add("ca", error.description)
            }
        }
        var authorities: S3Authorities?
        if let file = values.storeAuthorities {
            do throws(S3ConfigurationError) {
                authorities = try S3Authorities(file: file)
            } catch {
                add("s3-ca", error.description)
            }
        }
        // try?: the form of the setting has refused other texts.
        switch values.store.flatMap({ try? StoreLocation(parsing: $0) }) {
        case .file(let directory):
            var isDirectory: ObjCBool = false
            if !FileManager.default.fileExists(atPath: directory, isDirectory: &isDirectory) {
                add("store", "there is no directory \(directory.withVisibleControls); create it, or name another one")
            } else if !isDirectory.boolValue {
                add("store", "\(directory.withVisibleControls) is not a directory; name one")
            }
        case .s3(let bucket, let prefix):
            do throws(S3ConfigurationError) {
                _ = try S3Configuration(
                    bucket: bucket, prefix: prefix, endpoint: values.endpoint, region: values.region,
                    addressing: values.addressing, verification: values.verify, provider: values.provider,
                    authorities: authorities)
            } catch {
                add("store", error.description)
            }
        case nil: break
        }
        return problems
    }
}
