import FolderCore
import Settings
import TransferCommon

extension SettingForm where Value == String {
    /// The name of a folder, which people type in commands.
    static let folderName = SettingForm.checkedText(
        words: "a name of up to 64 letters, digits, dots, dashes and underscores"
    ) { text in
        let isName =
            (1...64).contains(text.utf8.count) && text.utf8.allSatisfy(isNameByte)
            && text.utf8.first != UInt8(ascii: "-")
        return isName
            ? nil
            : "must be 1 to 64 letters, digits, dots, dashes and underscores, and not begin with a dash, "
                + "not \(text.shown)"
    }

    /// The path of a directory. Paths are compared as text, so every path has to be written in one way.
    static let absolutePath = SettingForm.checkedText(words: "the absolute path of a directory") { text in
        guard text.utf8.first == UInt8(ascii: "/") else {
            return "must be an absolute path, which begins with /, not \(text.shown)"
        }
        let names = text.utf8.dropFirst().split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard text.utf8.count > 1 else { return "must be a directory below /" }
        guard names.allSatisfy({ !$0.isEmpty && !$0.elementsEqual(".".utf8) && !$0.elementsEqual("..".utf8) }) else {
            return "must be a path without //, /./, /../ and / at its end, not \(text.shown)"
        }
        return nil
    }

    /// A content type; empty for none.
    static let contentType = SettingForm.checkedText(words: "a content type, such as video/mp4") { text in
        do throws(SessionMetadataError) {
            _ = try SessionMetadata(OfferedMetadata(contentType: text, pairs: []))
            return nil
        } catch {
            return "must be a content type, such as video/mp4, not \(text.shown)"
        }
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}

extension SettingForm where Value == [String] {
    /// Shell patterns for the files of a folder.
    static func patterns(countMax: Int) -> SettingForm {
        .list(
            of: .checkedText(words: "a pattern, such as *.mp4") { text in
                guard !text.isEmpty else { return "is an empty pattern, which matches no file; remove it" }
                return text.utf8.first == UInt8(ascii: "/")
                    ? "begins with a slash; write the pattern as paths below the folder are, such as tmp/*" : nil
            },
            words: "patterns with commas, or a list of them, such as [\"*.mp4\", \"tmp/*\"]", countMax: countMax)
    }
}

extension SettingForm where Value == KeyPattern {
    /// A pattern of keys.
    static let keyPattern = SettingForm(words: "a pattern, such as {yyyy}/{mm}/{relative}", text: \.text) { text in
        guard text.utf8.count <= KeyRule.keyBytesMax else {
            return .failure(SettingRefusal("has \(text.utf8.count) bytes; at most \(KeyRule.keyBytesMax) are allowed"))
        }
        do throws(KeyTemplate.Refusal) {
            return .success(try KeyPattern(text))
        } catch {
            return .failure(SettingRefusal(error.message.withVisibleControls))
        }
    }
}

extension SettingForm where Value == [MetadataPair] {
    /// A map of names and values.
    static let metadata = SettingForm(
        words: "a map of names and values, such as {site: north}",
        parse: { _ in .failure(SettingRefusal("can be given in the settings file only")) },
        read: { cursor in
            guard case .map(let entries) = cursor.node.value else {
                cursor.refuse("must be a map of names and values, such as {site: north}")
                return nil
            }
            guard entries.count <= SessionMetadata.pairsMax else {
                cursor.refuse("has \(entries.count) values; at most \(SessionMetadata.pairsMax) are allowed")
                return nil
            }
            // The names become parts of messages, so they are checked first.
            if let refusal = entries.lazy.compactMap({ metadataRefusal(name: $0.key) }).first {
                cursor.refuse(refusal)
                return nil
            }
            guard let fields = cursor.fields(known: entries.map(\.key)) else { return nil }
            let pairs = fields.map { name, field in
                SettingForm<String>.metadataValue.read(field).map { MetadataPair(name: name, value: $0) }
            }
            guard pairs.allSatisfy({ $0 != nil }) else { return nil }
            return pairs.compactMap { $0 }.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
        },
        text: { pairs in pairs.map { "\($0.name)=\($0.value)" }.joined(separator: ", ") })

    private static func metadataRefusal(name: String) -> String? {
        guard name.utf8.count <= SessionMetadata.nameBytesMax else {
            return "the name \(name.shown) is longer than \(SessionMetadata.nameBytesMax) bytes"
        }
        do throws(SessionMetadataError) {
            // The value is checked later, with all others.
            _ = try SessionMetadata(
                OfferedMetadata(contentType: "", pairs: [MetadataPair(name: name, value: "value")]))
            return nil
        } catch {
            return error.description.withVisibleControls
        }
    }
}

extension SettingForm where Value == String {
    /// The value of a pair. A number needs no quotes here: it is kept as it is written.
    fileprivate static let metadataValue = SettingForm(
        words: "text", kinds: [.text, .number, .boolean], text: { $0 }, parse: { .success($0) })
}
