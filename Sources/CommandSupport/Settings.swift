package import ArgumentParser
import Configuration
import Foundation
import SystemPackage
import SystemSupport
import TransferCommon

/// Reads the settings of a program. A setting has the value of its flag; without the flag, the value of its environment
/// variable; without both, the value in the configuration file.
///
/// Every flag has a variable and a key of the same name: `--limit-rate`, `SLUICE_LIMIT_RATE`, `"limit-rate"`.
package struct Settings: Sendable {
    private let reader: ConfigReader

    /// - Parameter file: path of the home directory's configuration (JSON); the file may be missing.
    package init(file: String) async throws {
        let environment = EnvironmentVariablesProvider().prefixKeys(with: "sluice")
        do {
            try Self.check(file)
            let file = try await FileProvider<JSONSnapshot>(filePath: FilePath(file), allowMissing: true)
            reader = ConfigReader(providers: [environment, file])
        } catch {
            throw ValidationError("The configuration file \(file) cannot be read: \("\(error)".withVisibleControls)")
        }
    }

    /// Throws if others than the owner may change the file: its settings decide, for example, which store is used.
    private static func check(_ file: String) throws(FileError) {
        do {
            _ = try BoundedFile.read(file, bytesMax: fileBytesMax, access: .ownerWrites)
        } catch {
            guard error.isMissing else { throw error }
        }
    }

    private static let fileBytesMax = 1 << 20

    /// The setting, or `nil` if neither flag, variable nor file sets it.
    ///
    /// - Parameter name: the flag's name without the dashes.
    /// - Throws: if the variable or the file has a value that the flag would not accept.
    package func value<Value: ExpressibleByArgument>(_ flag: Value?, _ name: String) throws -> Value? {
        if let flag { return flag }
        guard let text = reader.string(forKey: ConfigKey([name])) else { return nil }
        guard let value = Value(argument: text) else {
            throw ValidationError("The setting \(name) has an invalid value: \(text.withVisibleControls)")
        }
        return value
    }
}
