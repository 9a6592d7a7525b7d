package import FolderCore
package import Settings
package import TransferCommon
package import TransferCore

/// The settings of one folder that the agent service watches.
package struct FolderSettings: Equatable, Sendable {
    /// What the service does with symbolic links below the folder.
    package enum SymbolicLinks: String, CaseIterable, Sendable {
        /// It neither follows nor sends them.
        case skip
    }

    /// What happens to a file once it is proven.
    package enum AfterProof: String, CaseIterable, Sendable {
        case keep
        case delete
        case move
    }

    /// When a file may be sent.
    package struct Readiness: Equatable, Sendable {
        package var when = FolderRules.Ready.idle
        /// The time between two looks at a file.
        package var settle = TimeSpan(FolderRules().settle)
        /// What is added to the name of a file to get the name of its marker; `nil` if not given. The service knows
        /// only `usualMarker`.
        package var marker: String?

        package static let usualMarker = ".done"
    }

    /// What happens while the folder's file system is nearly full.
    package struct DiskRule: Equatable, Sendable {
        package var freeMin: ByteSize?
        package var whenFull = FolderRules.WhenFull.hold
    }

    package var name = ""
    /// An absolute path.
    package var path = ""
    /// Shell patterns, as in `FileFilter`.
    package var include: [String] = []
    package var exclude: [String] = []
    package var symbolicLinks = SymbolicLinks.skip
    package var key = KeyPattern.relative
    package var ready = Readiness()
    package var order = FolderRules.Order.oldest
    package var priority = Int(FolderRules().priority)
    package var after = AfterProof.keep
    /// An absolute path.
    package var moveTo: String?
    /// How long a proven file stays; `nil` for `usualGrace`.
    package var grace: TimeSpan?
    package var confirmsBeforeRemoval = FolderRules().confirmsBeforeRemoval
    package var rechecksContent = FolderRules().rechecksContent
    package var onChange = FolderRules.OnChange.keep
    /// `nil`: the setting `receipts` of the agent decides.
    package var receipts: Bool?
    /// `nil`: the setting `content-type` of the agent decides.
    package var contentType: String?
    /// Ascending by name.
    package var metadata: [MetadataPair] = []
    package var disk = DiskRule()
    package var rescan = TimeSpan(FolderRules().rescan)

    package static let usualGrace = TimeSpan(.seconds(3_600))

    package init() {}

    /// What is added to the name of a file to get the name of its marker; `nil` if the folder needs no markers.
    package var markerSuffix: String? {
        ready.when == .marker ? ready.marker ?? Readiness.usualMarker : nil
    }

    /// Selects the files of the folder.
    package var filter: FileFilter { FileFilter(included: include, excluded: exclude) }

    /// The settings of the folder in the form in which the machine takes them.
    ///
    /// - Parameters:
    ///   - prefix: stands before every key.
    ///   - quarantineAfter: how many failures for the file's own reason put it into quarantine.
    package func rules(prefix: String, quarantineAfter: Int) -> FolderRules {
        var rules = FolderRules()
        rules.ready = ready.when
        rules.settle = ready.settle.duration
        rules.order = order
        rules.priority = UInt8(clamping: priority)
        rules.keys = key.template.prefixed(prefix)
        let grace = (grace ?? Self.usualGrace).duration
        rules.after =
            switch after {
            case .keep: .keep
            case .delete: .delete(grace: grace)
            case .move: .move(grace: grace)
            }
        rules.onChange = onChange
        rules.whenFull = disk.whenFull
        rules.freeBytesMin = disk.freeMin?.bytes ?? 0
        rules.quarantineAfter = UInt8(clamping: max(quarantineAfter, 1))
        rules.rescan = rescan.duration
        rules.confirmsBeforeRemoval = confirmsBeforeRemoval
        rules.rechecksContent = rechecksContent
        return rules
    }

    /// The metadata that the store keeps with each object of the folder.
    ///
    /// - Parameter contentType: holds if the folder has no content type of its own.
    package func objectMetadata(contentType usual: String) throws(UploadFailure) -> SessionMetadata {
        try SessionMetadata(chosen: metadata, contentType: contentType ?? usual)
    }
}

/// A pattern of keys, with the text in which a person wrote it.
package struct KeyPattern: Equatable, Sendable {
    package let text: String
    package let template: KeyTemplate

    /// The path below the folder.
    package static let relative = KeyPattern(text: "{relative}", template: .relative)

    private init(text: String, template: KeyTemplate) {
        self.text = text
        self.template = template
    }

    /// Throws for a pattern that gives several files of one directory the same key, and for one whose keys the rules
    /// for keys do not allow.
    package init(_ text: String) throws(KeyTemplate.Refusal) {
        let template = try KeyTemplate(text)
        guard template.tellsFilesApart else {
            throw KeyTemplate.Refusal(
                "the key pattern gives several files the same key; add {relative}, {name} or {stem}")
        }
        // If the key of a file with such a plain path is refused, then the text of the pattern is the reason.
        do throws(KeyTemplate.Refusal) {
            _ = try template.key(
                of: ItemPath("a/b.c"), modified: ModificationTime(seconds: 0, nanoseconds: 0), device: "device")
        } catch {
            throw KeyTemplate.Refusal("the file a/b.c gets no valid key from it: \(error.message)")
        }
        self.init(text: text, template: template)
    }
}
