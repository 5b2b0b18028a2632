// librdkafka's functions. The addon links to none of them: it finds them at run time in the library that the
// binding has loaded, whether that is a file of its own or a part of the binding.
#pragma once

#ifdef _WIN32
#define LIBRDKAFKA_STATICLIB  // declared without `dllimport`: nothing is linked
#include <basetsd.h>
typedef SSIZE_T ssize_t;
#endif

#include <memory>
#include <string>

#include "rdkafka.h"
#include "rdkafka_mock.h"

namespace typed_kafka {

#define TYPED_KAFKA_FUNCTIONS(X)              \
  X(rd_kafka_version)                         \
  X(rd_kafka_version_str)                     \
  X(rd_kafka_type)                            \
  X(rd_kafka_last_error)                      \
  X(rd_kafka_err2str)                         \
  X(rd_kafka_conf_interceptor_add_on_conf_set)     \
  X(rd_kafka_conf_interceptor_add_on_conf_destroy) \
  X(rd_kafka_conf_interceptor_add_on_new)     \
  X(rd_kafka_interceptor_add_on_destroy)      \
  X(rd_kafka_interceptor_add_on_acknowledgement) \
  X(rd_kafka_queue_new)                       \
  X(rd_kafka_queue_get_consumer)              \
  X(rd_kafka_queue_destroy)                   \
  X(rd_kafka_queue_yield)                     \
  X(rd_kafka_queue_cb_event_enable)           \
  X(rd_kafka_queue_poll)                      \
  X(rd_kafka_event_type)                      \
  X(rd_kafka_event_error)                     \
  X(rd_kafka_event_destroy)                   \
  X(rd_kafka_consume_batch_queue)             \
  X(rd_kafka_message_destroy)                 \
  X(rd_kafka_message_errstr)                  \
  X(rd_kafka_message_headers)                 \
  X(rd_kafka_message_leader_epoch)            \
  X(rd_kafka_message_status)                  \
  X(rd_kafka_message_timestamp)               \
  X(rd_kafka_header_get_all)                  \
  X(rd_kafka_headers_new)                     \
  X(rd_kafka_header_add)                      \
  X(rd_kafka_headers_destroy)                 \
  X(rd_kafka_topic_new)                       \
  X(rd_kafka_topic_name)                      \
  X(rd_kafka_topic_destroy)                   \
  X(rd_kafka_topic_partition_list_new)        \
  X(rd_kafka_topic_partition_list_add)        \
  X(rd_kafka_topic_partition_list_destroy)    \
  X(rd_kafka_commit_queue)                    \
  X(rd_kafka_send_offsets_to_transaction)     \
  X(rd_kafka_consumer_group_metadata)         \
  X(rd_kafka_consumer_group_metadata_destroy) \
  X(rd_kafka_mem_malloc)                      \
  X(rd_kafka_offsets_for_times)               \
  X(rd_kafka_produce)                         \
  X(rd_kafka_produceva)                       \
  X(rd_kafka_AdminOptions_new)                \
  X(rd_kafka_AdminOptions_set_request_timeout) \
  X(rd_kafka_AdminOptions_destroy)            \
  X(rd_kafka_ConfigResource_new)              \
  X(rd_kafka_ConfigResource_error)            \
  X(rd_kafka_ConfigResource_error_string)     \
  X(rd_kafka_ConfigResource_configs)          \
  X(rd_kafka_ConfigResource_destroy)          \
  X(rd_kafka_ConfigEntry_name)                \
  X(rd_kafka_ConfigEntry_value)               \
  X(rd_kafka_DescribeConfigs)                 \
  X(rd_kafka_event_DescribeConfigs_result)    \
  X(rd_kafka_DescribeConfigs_result_resources) \
  X(rd_kafka_event_error_string)              \
  X(rd_kafka_list_groups)                     \
  X(rd_kafka_group_list_destroy)              \
  X(rd_kafka_handle_mock_cluster)             \
  X(rd_kafka_mock_topic_create)               \
  X(rd_kafka_error_code)                      \
  X(rd_kafka_error_string)                    \
  X(rd_kafka_error_is_fatal)                  \
  X(rd_kafka_error_is_retriable)              \
  X(rd_kafka_error_txn_requires_abort)        \
  X(rd_kafka_error_destroy)

/// The functions, under their own names.
struct Librdkafka {
#define TYPED_KAFKA_POINTER(name) decltype(&::name) name = nullptr;
  TYPED_KAFKA_FUNCTIONS(TYPED_KAFKA_POINTER)
#undef TYPED_KAFKA_POINTER
};

/// Filled by `find` before the first client exists, and only read from then on.
extern Librdkafka rk;

struct DestroyList {
  void operator()(rd_kafka_topic_partition_list_t* list) const { rk.rd_kafka_topic_partition_list_destroy(list); }
};
using PartitionList = std::unique_ptr<rd_kafka_topic_partition_list_t, DestroyList>;

/// Fills `rk` from the library that contains the address `caller`. At the first call only; later ones give the
/// same answer. Returns why it cannot be used, or an empty string. Safe from any thread.
const std::string& find(void* caller);

/// Whether `find` was called, and has found everything.
bool isFound();

}  // namespace typed_kafka
