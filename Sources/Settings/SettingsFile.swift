import SystemSupport
import TransferCommon

/// The settings file of a home: `NAME.yaml`, or `NAME.json` as earlier versions wrote it.
package struct SettingsFile: Sendable {
    package let path: String
    package let root: SettingNode

    /// Reads text as the file at this path would be read. A path that ends in `.json` is JSON, any other is YAML.
    package init(path: String, bytes: [UInt8]) throws(SettingsError) {
        self.path = path
        do throws(DocumentError) {
            guard bytes.count <= DocumentLimits.bytesMax else {
                throw DocumentError(line: 1, reason: "the file is longer than \(DocumentLimits.bytesMax) bytes")
            }
            root = try Self.isJSON(path) ? JSONReader.read(bytes) : YAMLReader.read(bytes)
        } catch {
            throw SettingsError([
                SettingProblem(source: .file(path: path, line: error.line), reason: error.reason)
            ])
        }
    }

    /// Whether the file gives no key, as if it did not exist.
    package var isEmpty: Bool { root.value == .map([]) }

    static func isJSON(_ path: String) -> Bool { path.utf8.suffix(5).elementsEqual(".json".utf8) }

    /// Reads the settings file of a home.
    ///
    /// - Parameters:
    ///   - home: the directory.
    ///   - name: the file's name without its end, `agent` or `gateway`.
    /// - Returns: `nil` if the home has no such file.
    /// - Throws: if the file cannot be read, if others than its owner may change it, or if it is neither YAML nor JSON.
    package static func inHome(_ home: String, name: String) throws(SettingsError) -> SettingsFile? {
        let path = try path(inHome: home, name: name)
        do {
            // The settings decide, for example, which store is used, so others must not change them.
            let bytes = try BoundedFile.read(path, bytesMax: DocumentLimits.bytesMax, access: .ownerWrites)
            return try SettingsFile(path: path, bytes: bytes)
        } catch let error as SettingsError {
            throw error
        } catch {
            if (error as? FileError)?.isMissing == true { return nil }
            throw SettingsError([SettingProblem(source: .file(path: path, line: nil), reason: "\(error)")])
        }
    }

    /// The path of the settings file of a home: the JSON file if only that exists, and otherwise the YAML file.
    package static func usedPath(inHome home: String, name: String) -> String {
        let (yaml, json) = (home + "/\(name).yaml", home + "/\(name).json")
        return !AtomicFile.exists(yaml) && AtomicFile.exists(json) ? json : yaml
    }

    /// The path of the settings file of a home.
    ///
    /// - Throws: if both files exist.
    package static func path(inHome home: String, name: String) throws(SettingsError) -> String {
        let (yaml, json) = (home + "/\(name).yaml", home + "/\(name).json")
        guard !AtomicFile.exists(yaml) || !AtomicFile.exists(json) else {
            throw SettingsError([
                SettingProblem(
                    source: .file(path: json, line: nil),
                    reason: "\(yaml) exists, too; put all settings into one of the two, and remove the other")
            ])
        }
        return usedPath(inHome: home, name: name)
    }

    /// The bytes of the file with another text for one of its keys. Everything else stays as it is, also comments.
    ///
    /// - Parameters:
    ///   - name: the key.
    ///   - bytes: the bytes from which the file was read.
    /// - Returns: `nil` if the file does not give this key a single value.
    package func replacing(_ name: String, with text: String, in bytes: [UInt8]) -> [UInt8]? {
        guard case .map(let entries) = root.value,
            case .scalar(let scalar) = entries.first(where: { $0.key.hasSameBytes(as: name) })?.value.value,
            scalar.range.upperBound <= bytes.count,
            // A key without a value has nothing to replace, and a block of lines also ends the line of its key.
            let first = bytes[scalar.range].first, first != UInt8(ascii: "|"), first != UInt8(ascii: ">")
        else { return nil }
        return Array(bytes[..<scalar.range.lowerBound]) + Self.quoted(text).utf8 + bytes[scalar.range.upperBound...]
    }

    /// The text in double quotes, which JSON and YAML read alike.
    package static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": result += "\\\(scalar)"
            case "\0"..<" ", "\u{7F}"..."\u{9F}", "\u{2028}", "\u{2029}", "\u{FEFF}":
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
