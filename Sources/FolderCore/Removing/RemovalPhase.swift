package import TransferCommon

/// The phases of a `Removal`.
///
///     from            event                                                         to
///     comparing       the file is what was proven, and the gateway is asked         asking
///     comparing       the file is what was proven, and no gateway is asked          journalling
///     comparing       the file is another one, missing, or cannot be read           ended
///     asking          the gateway confirms the object                               journalling
///     asking          the gateway does not confirm it                               ended
///     journalling     both names are durable                                        settingAside
///     settingAside    the file has the hidden name                                  comparingAside
///     settingAside    the file has no name of the two, or the hidden name is taken  returning
///     settingAside    the rename has failed                                         recovering
///     comparingAside  the file is what was compared                                 hashing
///     comparingAside  the stamp decides                                             unlinking
///     comparingAside  the stamp decides, and no lease can be had                    keeping
///     comparingAside  the file is another one, or is written                        puttingBack
///     hashing         the content is what was proven                                unlinking
///     hashing         no lease can be had, for the first time                       keeping
///     hashing         the content is another one, or the file is written            puttingBack
///     keeping         a program that had the file open has had time to close it     hashing
///     keeping         likewise, and the stamp decides                               comparingAside
///     unlinking       the file is deleted or moved                                  syncing
///     unlinking       the file has changed since, or cannot be deleted              puttingBack
///     syncing         the directory is durable                                      recording
///     syncing         the directory cannot be synced now                            pausing
///     recording       the journal has the end                                       ended
///     recovering      the file still has the hidden name                            puttingBack
///     recovering      the file still has its own name                               returningSync
///     recovering      the file has neither name                                     syncing
///     recovering      the names cannot be looked at now                             pausing
///     puttingBack     the file has its own name, or another visible one             returningSync
///     puttingBack     the file has no hidden name any more                          returningSync
///     puttingBack     the file cannot be renamed now                                pausing
///     returningSync   the directory is durable                                      returning
///     returningSync   the directory cannot be synced now                            pausing
///     returning       the journal has it                                            ended
///     pausing         its time has come                                             syncing
///     pausing         its time has come                                             recovering
///     pausing         its time has come                                             puttingBack
///     pausing         its time has come                                             returningSync
package enum RemovalPhase: Hashable, Sendable {
    case comparing(RequestID)
    case asking(RequestID)
    case journalling(TransactionNumber)
    case settingAside(RequestID)
    case comparingAside(RequestID, isSecond: Bool)
    case hashing(RequestID, isSecond: Bool)
    case keeping(until: Instant)
    case unlinking(RequestID, FileStamp, number: UInt32)
    case syncing(RequestID)
    case recording(TransactionNumber)
    case recovering(RequestID)
    case puttingBack(RequestID, number: UInt32)
    case returningSync(RequestID)
    case returning(TransactionNumber)
    /// A step that failed is repeated at this moment.
    case pausing(until: Instant, RemovalRepetition)
    case ended
}

/// A step that is repeated until it succeeds, because the file would keep its hidden name otherwise.
package enum RemovalRepetition: Hashable, Sendable {
    case sync
    case find
    case putBack(number: UInt32)
    case returnSync
}
