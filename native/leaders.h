// Asks the leaders of a topic whether they are: the binding asks for one partition at a time.
#pragma once

#include <memory>
#include <string>

#include "clients.h"
#include "job.h"

namespace typed_kafka {

class LeaderQuestion : public Job {
 public:
  /// Asks all leaders at the same time where the logs end, which one that does not lead yet refuses. For `timeoutMs` at
  /// most; the callback gets an error's code, or 0. The binding's client must be connected until it is called.
  LeaderQuestion(std::shared_ptr<Client> client, const std::string& topic, int32_t partitions, int timeoutMs);

 protected:
  void work() override;
  std::vector<napi_value> answer(napi_env env) override;

 private:
  const std::shared_ptr<Client> client_;
  const int timeoutMs_;
  const PartitionList partitions_;
  rd_kafka_resp_err_t code_ = RD_KAFKA_RESP_ERR_NO_ERROR;
};

}  // namespace typed_kafka
